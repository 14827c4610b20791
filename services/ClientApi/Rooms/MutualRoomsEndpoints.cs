using System.Text;
using Matrix.Primitives;
using Matrix.Storage.Spaces;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Mvc;

namespace Matrix.ClientApi.Rooms;

/// <summary>Rooms that two users share. Spec: client-server-api/#mutual-rooms</summary>
internal static class MutualRoomsEndpoints
{
    private const int PageSize = 100;

    public static void MapMutualRooms(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.V1 | ClientVersions.Unstable, "/mutual_rooms", Get).Named("get_mutual_rooms");
        routes.Get(ClientVersions.Unstable, "/uk.half-shot.msc2666/user/mutual_rooms", Get).Named("get_mutual_rooms");
    }

    private static async Task<IResult> Get(
        [FromQuery(Name = "user_id")] string? userId, string? from, [FromQuery(Name = "batch_token")] string? batchToken, Requester requester, RoomFactsReader rooms,
        CancellationToken ct)
    {
        if (userId is null) throw MatrixError.MissingParam("Missing 'user_id' parameter").AsException();
        if (!UserId.TryParse(userId, null, out var other)) throw MatrixError.InvalidParam("The user ID provided was invalid").AsException();
        if (other == requester.UserId) throw MatrixError.InvalidParam("You cannot request a list of shared rooms with yourself").AsException();
        var after = AfterOf(from ?? batchToken);
        var all = await rooms.MutualAsync(requester.UserId.Value, other.Value, ct);
        var rest = all.FindAll(r => StringComparer.Ordinal.Compare(r, after) > 0);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("joined"u8);
            foreach (var room in rest.Take(PageSize)) w.WriteStringValue(room);
            w.WriteEndArray();
            w.WriteNumber("count"u8, all.Count);
            if (rest.Count > PageSize) w.WriteString("next_batch"u8, UnpaddedBase64.EncodeUrl(Encoding.UTF8.GetBytes(rest[PageSize - 1])));
        });
    }

    /// <summary>A token is the room to go on after.</summary>
    private static string AfterOf(string? token)
    {
        if (string.IsNullOrEmpty(token)) return "";
        return UnpaddedBase64.TryDecodeUrl(token, out var bytes) && Encoding.UTF8.GetString(bytes) is ['!', ..] room
            ? room : throw MatrixError.InvalidParam("Unknown 'from' token").AsException();
    }
}

using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.RoomDirectory;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.RoomDirectory;

/// <summary>Whether a room is in the published list. Spec: client-server-api/#published-room-directory</summary>
internal static class PublishingEndpoints
{
    private const string Path = "/directory/list/room/{roomId}";

    public static void MapPublishing(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.ApiV1R0V3Unstable, Path, Get).Anonymous().Named("get_room_visibility");
        routes.Put(ClientVersions.ApiV1R0V3Unstable, Path, Put).Named("set_room_visibility");
    }

    private static async Task<IResult> Get(RoomId roomId, RoomReader rooms, CancellationToken ct)
    {
        var room = await rooms.FindAsync(roomId.Value, ct) ?? throw MatrixError.NotFound("Unknown room").AsException();
        return MatrixResults.Object(w => w.WriteString("visibility"u8, room.IsPublic ? "public"u8 : "private"u8));
    }

    private static async Task<IResult> Put(
        RoomId roomId, JsonBody body, Requester requester, RoomReader rooms, RoomPowers powers, RoomDirectoryStore directory, CancellationToken ct)
    {
        var visibility = body.AsObjectOrEmpty().StringOrNull("visibility") ?? "public";
        if (visibility is not ("public" or "private")) throw MatrixError.InvalidParam("Invalid visibility").AsException();
        var room = await rooms.FindAsync(roomId.Value, ct) ?? throw MatrixError.NotFound("Unknown room").AsException();
        if (!requester.IsAdmin && !await powers.MaySetStateAsync(room.RoomNid, room.RoomId, requester.UserId, EventTypes.CanonicalAlias, ct))
            throw MatrixError.Forbidden("This server requires you to be a moderator in the room to edit its room list entry").AsException();
        await directory.SetPublishedAsync(room.RoomNid, visibility == "public", ct);
        return MatrixResults.Empty;
    }
}

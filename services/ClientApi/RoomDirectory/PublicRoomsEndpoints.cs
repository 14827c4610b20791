using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.RoomDirectory;

/// <summary>The list of published rooms. Spec: client-server-api/#listing-rooms</summary>
internal static class PublicRoomsEndpoints
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 500;

    public static void MapPublicRooms(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/publicRooms", Get).OptionalAuth().AllowGuests().Named("get_public_rooms");
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/publicRooms", Post).AllowGuests().Named("query_public_rooms");
    }

    private static async Task<IResult> Get(
        int? limit, string? since, string? server, Requester? requester, PublicRoomList list, HomeserverConfig config, CancellationToken ct)
    {
        if (requester is null && !config.AllowPublicRoomsWithoutAuth) throw MatrixError.MissingToken().AsException();
        RequireOwn(server, config);
        return Answer(await list.GetAsync(new PublicRoomQuery(LimitOf(limit), since, null, null), ct));
    }

    private static async Task<IResult> Post(
        string? server, JsonBody body, Requester requester, PublicRoomList list, HomeserverConfig config, CancellationToken ct)
    {
        RequireOwn(server, config);
        var request = body.AsObjectOrEmpty();
        var filter = request.ObjectOrNull("filter") ?? JsonBody.EmptyObject;
        var term = filter.StringOrNull("generic_search_term");
        var query = new PublicRoomQuery(
            LimitOf(request.IntOrNull("limit")), request.StringOrNull("since"), string.IsNullOrEmpty(term) ? null : term, TypesOf(filter));
        return Answer(await list.GetAsync(query, ct));
    }

    private static List<string?>? TypesOf(JsonElement filter)
    {
        if (filter.ArrayOrNull("room_types") is not { } array) return null;
        var types = new List<string?>();
        foreach (var type in array.EnumerateArray())
            types.Add(type.ValueKind switch
            {
                JsonValueKind.Null => null,
                JsonValueKind.String => type.GetString(),
                _ => throw MatrixError.BadJson("'room_types' must hold strings or null").AsException(),
            });
        return types;
    }

    // Synapse: zero means no limit of the client's.
    private static int LimitOf(long? limit) => limit is null or 0 ? DefaultLimit
        : limit < 0 ? throw MatrixError.InvalidParam("'limit' must not be negative").AsException() : (int)Math.Min(limit.Value, MaxLimit);

    private static void RequireOwn(string? server, HomeserverConfig config)
    {
        if (string.IsNullOrEmpty(server) || server == config.ServerName) return;
        if (!ServerName.TryParse(server, null, out _)) throw MatrixError.InvalidParam("Invalid 'server'").AsException();
        throw MatrixError.Unknown(502, "Failed to fetch room list").AsException();
    }

    private static IResult Answer(PublicRoomPage page) => MatrixResults.Object(w =>
    {
        w.WriteStartArray("chunk"u8);
        foreach (var room in page.Rooms)
        {
            w.WriteStartObject();
            w.WriteString("room_id"u8, room.Room.RoomId);
            w.WriteNumber("num_joined_members"u8, room.Room.JoinedMembers);
            w.WriteBoolean("world_readable"u8, room.WorldReadable);
            w.WriteBoolean("guest_can_join"u8, room.GuestCanJoin);
            Text(w, "name", room.Name);
            Text(w, "topic", room.Topic);
            Text(w, "canonical_alias", room.CanonicalAlias);
            Text(w, "avatar_url", room.AvatarUrl);
            Text(w, "join_rule", room.JoinRule);
            Text(w, "room_type", room.RoomType);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        w.WriteNumber("total_room_count_estimate"u8, page.TotalEstimate);
        Text(w, "next_batch", page.NextBatch);
        Text(w, "prev_batch", page.PrevBatch);
    });

    private static void Text(Utf8JsonWriter w, string name, string? value)
    {
        if (value is not null) w.WriteString(name, value);
    }
}

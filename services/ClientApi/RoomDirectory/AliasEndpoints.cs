using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Aliases;
using Matrix.Storage.RoomDirectory;
using Matrix.Storage.Rooms;
using Matrix.Web.AppServices;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.RoomDirectory;

/// <summary>Room aliases. Spec: client-server-api/#room-aliases</summary>
internal static class AliasEndpoints
{
    private const string Path = "/directory/room/{roomAlias}";
    private const int MaxServers = 50;

    public static void MapAliases(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.ApiV1R0V3Unstable, Path, Get).Anonymous().Named("get_room_alias");
        routes.Put(ClientVersions.ApiV1R0V3Unstable, Path, Put).Named("set_room_alias");
        routes.Delete(ClientVersions.ApiV1R0V3Unstable, Path, Delete).Named("delete_room_alias");
    }

    private static async Task<IResult> Get(
        RoomAlias roomAlias, AliasResolver aliases, RoomReader rooms, MembershipStore memberships, ServerIdentity server, CancellationToken ct)
    {
        var alias = await aliases.FindAsync(roomAlias, ct) ?? throw MatrixError.NotFound($"Room alias {roomAlias} not found").AsException();
        List<string> servers = [.. alias.Servers];
        if (server.IsMine(roomAlias.Value))
        {
            if (await rooms.FindAsync(alias.RoomId, ct) is { } room) servers = await memberships.JoinedServersAsync(room.RoomNid, MaxServers, ct);
            if (servers.Remove(server.ServerName) || servers.Count == 0) servers.Insert(0, server.ServerName);
        }
        if (servers.Count == 0) servers.Add(roomAlias.Server);
        return MatrixResults.Object(w =>
        {
            w.WriteString("room_id"u8, alias.RoomId);
            w.WriteStartArray("servers"u8);
            foreach (var s in servers) w.WriteStringValue(s);
            w.WriteEndArray();
        });
    }

    private static async Task<IResult> Put(
        RoomAlias roomAlias, JsonBody body, Requester requester, RoomDirectoryStore directory, RoomReader rooms, ServerIdentity server, AppServiceRegistrations services,
        TimeProvider clock, CancellationToken ct)
    {
        var roomId = body.AsObject().RequiredString("room_id");
        if (!RoomId.TryParse(roomId, null, out _)) throw MatrixError.InvalidParam("'room_id' is not a room id").AsException();
        if (!server.IsMine(roomAlias.Value)) throw MatrixError.InvalidParam("The alias must belong to this server.").AsException();
        foreach (var c in roomAlias.Localpart)
            if (char.IsWhiteSpace(c)) throw MatrixError.InvalidParam("Invalid characters in room alias").AsException();
        if (services.IsAliasOfOthers(roomAlias.Value, requester)) throw MatrixError.Custom(400, "M_EXCLUSIVE", "This alias is reserved by an application service.").AsException();
        if (await rooms.FindAsync(roomId, ct) is null) throw MatrixError.NotFound("Room not found").AsException();
        if (!requester.IsAdmin && await rooms.MembershipAsync(roomId, requester.UserId.Value, ct) is not { Membership: Memberships.Join })
            throw MatrixError.Forbidden("You are not joined to the room.").AsException();
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        if (!await directory.AddAliasAsync(roomAlias.Value, roomId, requester.UserId.Value, now, ct))
            throw MatrixError.Unknown(409, $"Room alias {roomAlias} already exists").AsException();
        return MatrixResults.Empty;
    }

    private static async Task<IResult> Delete(
        RoomAlias roomAlias, Requester requester, RoomDirectoryStore directory, RoomReader rooms, RoomPowers powers, CanonicalAliases canonical,
        CancellationToken ct)
    {
        var alias = await directory.FindAliasAsync(roomAlias.Value, ct) ?? throw MatrixError.NotFound($"Room alias {roomAlias} not found").AsException();
        var allowed = requester.IsAdmin || alias.Creator == requester.UserId.Value
            || (await rooms.FindAsync(alias.RoomId, ct) is { } room
                && await powers.MaySetStateAsync(room.RoomNid, room.RoomId, requester.UserId, EventTypes.CanonicalAlias, ct));
        if (!allowed) throw MatrixError.Forbidden("You don't have permission to delete the alias.").AsException();
        await directory.RemoveAliasAsync(roomAlias.Value, alias.RoomId, ct);
        await canonical.RemoveAsync(alias.RoomId, requester.UserId, roomAlias.Value, ct);
        return MatrixResults.Empty;
    }
}

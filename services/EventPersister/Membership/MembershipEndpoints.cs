using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.EventPersister.Membership;

/// <summary>Joining, inviting, leaving. Spec: client-server-api/#room-membership</summary>
internal static class MembershipEndpoints
{
    public static void MapMembership(this ClientRoutes routes)
    {
        const ClientVersions All = ClientVersions.ApiV1R0V3Unstable;
        routes.Post(All, "/rooms/{roomId}/join", Join).AllowGuests().Named("join_room_by_id");
        routes.Post(All, "/join/{roomIdOrAlias}", JoinByAlias).AllowGuests().Named("join_room");
        routes.Post(All, "/knock/{roomIdOrAlias}", Knock).Named("knock_room");
        routes.Post(All, "/rooms/{roomId}/invite", Invite).Named("invite");
        routes.Post(All, "/rooms/{roomId}/leave", Leave).AllowGuests().Named("leave_room");
        routes.Post(All, "/rooms/{roomId}/kick", Kick).Named("kick");
        routes.Post(All, "/rooms/{roomId}/ban", Ban).Named("ban");
        routes.Post(All, "/rooms/{roomId}/unban", Unban).Named("unban");
    }

    private static async Task<IResult> Join(string roomId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct)
    {
        await changes.ChangeAsync(roomId, requester, MembershipAction.Join, requester.UserId.Value, body.AsObjectOrEmpty(), ct);
        return Room(roomId);
    }

    private static async Task<IResult> JoinByAlias(
        string roomIdOrAlias, Requester requester, JsonBody body, MembershipChanges changes, RoomAddresses addresses, CancellationToken ct)
    {
        var content = body.AsObjectOrEmpty();
        var roomId = await addresses.ResolveAsync(roomIdOrAlias, ct);
        await changes.JoinAsync(roomId, requester, content, ct);
        return Room(roomId);
    }

    private static async Task<IResult> Knock(
        string roomIdOrAlias, Requester requester, JsonBody body, MembershipChanges changes, RoomAddresses addresses, CancellationToken ct)
    {
        var roomId = await addresses.ResolveAsync(roomIdOrAlias, ct);
        await changes.ChangeAsync(roomId, requester, MembershipAction.Knock, requester.UserId.Value, body.AsObjectOrEmpty(), ct);
        return Room(roomId);
    }

    private static async Task<IResult> Leave(string roomId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct)
    {
        await changes.ChangeAsync(roomId, requester, MembershipAction.Leave, requester.UserId.Value, body.AsObjectOrEmpty(), ct);
        return MatrixResults.Empty;
    }

    private static Task<IResult> Invite(string roomId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct)
    {
        var o = body.AsObject();
        if (!o.TryGetProperty("user_id", out _) && o.TryGetProperty("medium", out _))
            throw MatrixError.Custom(403, "M_THREEPID_DENIED", "Third-party identifiers cannot be invited on this server.").AsException();
        return OtherAsync(roomId, requester, body, MembershipAction.Invite, changes, ct);
    }

    private static Task<IResult> Kick(string roomId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct) =>
        OtherAsync(roomId, requester, body, MembershipAction.Kick, changes, ct);

    private static Task<IResult> Ban(string roomId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct) =>
        OtherAsync(roomId, requester, body, MembershipAction.Ban, changes, ct);

    private static Task<IResult> Unban(string roomId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct) =>
        OtherAsync(roomId, requester, body, MembershipAction.Unban, changes, ct);

    private static async Task<IResult> OtherAsync(
        string roomId, Requester requester, JsonBody body, MembershipAction action, MembershipChanges changes, CancellationToken ct)
    {
        var o = body.AsObject();
        if (!UserId.TryParse(o.RequiredString("user_id"), null, out var target)) throw MatrixError.InvalidParam("'user_id' is not a user id").AsException();
        await changes.ChangeAsync(roomId, requester, action, target.Value, o, ct);
        return MatrixResults.Empty;
    }

    private static IResult Room(string roomId) => MatrixResults.Object(w => w.WriteString("room_id", roomId));
}

/// <summary>What stands where a room id or an alias may stand.</summary>
internal sealed class RoomAddresses(RoomReader rooms, ServerIdentity server)
{
    public async ValueTask<string> ResolveAsync(string roomIdOrAlias, CancellationToken ct)
    {
        if (RoomId.TryParse(roomIdOrAlias, null, out var id)) return id.Value;
        if (!RoomAlias.TryParse(roomIdOrAlias, null, out var alias))
            throw MatrixError.InvalidParam($"{roomIdOrAlias} was not legal room ID or room alias").AsException();
        var room = server.IsMine(alias.Value) ? await rooms.AliasAsync(alias.Value, ct) : null;
        return room ?? throw MatrixError.NotFound($"Room alias {alias} not found").AsException();
    }
}

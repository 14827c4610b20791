using Matrix.EventPersister.Profiles;
using Matrix.EventPersister.ThirdParty;
using Matrix.Primitives;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.EventPersister.Membership;

/// <summary>Joining, inviting, leaving. Spec: client-server-api/#room-membership</summary>
internal static class MembershipEndpoints
{
    public static void MapMembership(this ClientRoutes routes)
    {
        const ClientVersions All = ClientVersions.ApiV1R0V3Unstable;
        routes.Post(All, "/join/{roomIdOrAlias}", JoinByAlias).AllowGuests().Named("join_room").RateLimited(RateLimitRules.JoinsLocal);
        routes.Post(All, "/knock/{roomIdOrAlias}", Knock).Named("knock_room").RateLimited(RateLimitRules.Message);
        routes.Post(All, "/rooms/{roomId}/join", Join).AllowGuests().Named("join_room_by_id").RateLimited(RateLimitRules.JoinsLocal).RateLimited(RateLimitRules.JoinsPerRoom);
        routes.Post(All, "/rooms/{roomId}/invite", Invite).Named("invite").RateLimited(RateLimitRules.InvitesPerRoom).RateLimited(RateLimitRules.InvitesPerIssuer);
        routes.Post(All, "/rooms/{roomId}/leave", Leave).AllowGuests().Named("leave_room").RateLimited(RateLimitRules.Message);
        routes.Post(All, "/rooms/{roomId}/kick", Kick).Named("kick").RateLimited(RateLimitRules.Message);
        routes.Post(All, "/rooms/{roomId}/ban", Ban).Named("ban").RateLimited(RateLimitRules.Message);
        routes.Post(All, "/rooms/{roomId}/unban", Unban).Named("unban").RateLimited(RateLimitRules.Message);
        // Synapse: the same with a transaction id, for those who repeat what they have no answer to.
        routes.Put(All, "/join/{roomIdOrAlias}/{txnId}", JoinByAlias).AllowGuests().Named("join_room_with_transaction").RateLimited(RateLimitRules.JoinsLocal);
        routes.Put(All, "/rooms/{roomId}/join/{txnId}", Join).AllowGuests().Named("join_room_by_id_with_transaction").RateLimited(RateLimitRules.JoinsLocal).RateLimited(RateLimitRules.JoinsPerRoom);
        routes.Put(All, "/rooms/{roomId}/invite/{txnId}", Invite).Named("invite_with_transaction").RateLimited(RateLimitRules.InvitesPerRoom).RateLimited(RateLimitRules.InvitesPerIssuer);
        routes.Put(All, "/rooms/{roomId}/leave/{txnId}", Leave).AllowGuests().Named("leave_room_with_transaction").RateLimited(RateLimitRules.Message);
        routes.Put(All, "/rooms/{roomId}/kick/{txnId}", Kick).Named("kick_with_transaction").RateLimited(RateLimitRules.Message);
        routes.Put(All, "/rooms/{roomId}/ban/{txnId}", Ban).Named("ban_with_transaction").RateLimited(RateLimitRules.Message);
        routes.Put(All, "/rooms/{roomId}/unban/{txnId}", Unban).Named("unban_with_transaction").RateLimited(RateLimitRules.Message);
    }

    private static async Task<IResult> Join(
        string roomId, string? txnId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct)
    {
        await changes.ChangeAsync(roomId, requester, MembershipAction.Join, requester.UserId.Value, body.AsObjectOrEmpty(), txnId, ct);
        return Room(roomId);
    }

    private static async Task<IResult> JoinByAlias(
        string roomIdOrAlias, string? txnId, Requester requester, JsonBody body, MembershipChanges changes, RoomAddresses addresses, AvatarRules avatars, RateLimiter limiter,
        CancellationToken ct)
    {
        await avatars.RequireAsync(body.AsObjectOrEmpty(), ct);
        var roomId = await addresses.ResolveAsync(roomIdOrAlias, ct);
        await limiter.RequireAsync(RateLimitRules.JoinsPerRoom, requester, roomId, ct);
        return await JoinAsync(roomId, txnId, requester, body, changes, ct);
    }

    private static async Task<IResult> JoinAsync(
        string roomId, string? txnId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct)
    {
        await changes.JoinAsync(roomId, requester, body.AsObjectOrEmpty(), txnId, ct);
        return Room(roomId);
    }

    private static async Task<IResult> Knock(
        string roomIdOrAlias, Requester requester, JsonBody body, MembershipChanges changes, RoomAddresses addresses, CancellationToken ct)
    {
        var roomId = await addresses.ResolveAsync(roomIdOrAlias, ct);
        await changes.ChangeAsync(roomId, requester, MembershipAction.Knock, requester.UserId.Value, body.AsObjectOrEmpty(), null, ct);
        return Room(roomId);
    }

    private static async Task<IResult> Leave(
        string roomId, string? txnId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct)
    {
        await changes.ChangeAsync(roomId, requester, MembershipAction.Leave, requester.UserId.Value, body.AsObjectOrEmpty(), txnId, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> Invite(
        string roomId, string? txnId, Requester requester, JsonBody body, MembershipChanges changes, ThirdPartyInvites thirdParties, RateLimiter limiter,
        CancellationToken ct)
    {
        var o = body.AsObject();
        if (!o.TryGetProperty("user_id", out _) && o.TryGetProperty("medium", out _))
        {
            await limiter.RequireAsync(RateLimitRules.ThirdPartyInvite, requester, ct);
            await thirdParties.InviteAsync(roomId, requester, Invitee.Read(o), isDirect: false, txnId, ct);
            return MatrixResults.Empty;
        }
        await limiter.RequireAsync(RateLimitRules.InvitesPerUser, requester, o.RequiredString("user_id"), ct);
        return await OtherAsync(roomId, txnId, requester, body, MembershipAction.Invite, changes, ct);
    }

    private static Task<IResult> Kick(string roomId, string? txnId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct) =>
        OtherAsync(roomId, txnId, requester, body, MembershipAction.Kick, changes, ct);

    private static Task<IResult> Ban(string roomId, string? txnId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct) =>
        OtherAsync(roomId, txnId, requester, body, MembershipAction.Ban, changes, ct);

    private static Task<IResult> Unban(string roomId, string? txnId, Requester requester, JsonBody body, MembershipChanges changes, CancellationToken ct) =>
        OtherAsync(roomId, txnId, requester, body, MembershipAction.Unban, changes, ct);

    private static async Task<IResult> OtherAsync(
        string roomId, string? txnId, Requester requester, JsonBody body, MembershipAction action, MembershipChanges changes, CancellationToken ct)
    {
        var o = body.AsObject();
        if (!UserId.TryParse(o.RequiredString("user_id"), null, out var target)) throw MatrixError.InvalidParam("'user_id' is not a user id").AsException();
        await changes.ChangeAsync(roomId, requester, action, target.Value, o, txnId, ct);
        return MatrixResults.Empty;
    }

    private static IResult Room(string roomId) => MatrixResults.Object(w => w.WriteString("room_id", roomId));
}

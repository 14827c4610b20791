using Matrix.Crypto;
using Matrix.EventPersister.ThirdParty;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.AppServices;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.EventPersister.Rooms;

/// <summary>Creating rooms. Spec: client-server-api/#creation</summary>
internal static class RoomCreationEndpoints
{
    public static void MapRoomCreation(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/createRoom", Create).Named("create_room").RateLimited(RateLimitRules.RoomCreation);
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/rooms/{roomId}/upgrade", Upgrade).Named("upgrade_room").RateLimited(RateLimitRules.RoomCreation);
    }

    private static async Task<IResult> Upgrade(string roomId, Requester requester, JsonBody body, RoomUpgrade upgrade, CancellationToken ct)
    {
        var o = body.AsObject();
        var id = o.RequiredString("new_version");
        var version = RoomVersions.Find(id) ?? throw MatrixError.UnsupportedRoomVersion(id).AsException();
        var creators = new List<string>();
        if (o.ArrayOrNull("additional_creators") is { } list)
            foreach (var item in list.EnumerateArray())
                creators.Add(item.ValueKind == System.Text.Json.JsonValueKind.String && UserId.TryParse(item.GetString(), null, out var user)
                    ? user.Value : throw MatrixError.InvalidParam("'additional_creators' holds something that is no user id").AsException());
        var newRoom = await upgrade.UpgradeAsync(roomId, requester.UserId.Value, version, creators, ct);
        return MatrixResults.Object(w => w.WriteString("replacement_room", newRoom));
    }

    private static async Task<IResult> Create(
        Requester requester, JsonBody body, RoomCreation creation, ThirdPartyInvites thirdParties, RateLimiter limiter, ServerIdentity server, HomeserverConfig config,
        AppServiceRegistrations services, CancellationToken ct)
    {
        var plan = RoomPlan.Read(body.AsObjectOrEmpty(), requester.UserId.Value, server.ServerName, config.DefaultRoomVersion);
        if (plan.Alias is not null && services.IsAliasOfOthers(plan.Alias, requester))
            throw MatrixError.Custom(400, "M_EXCLUSIVE", "This alias is reserved by an application service.").AsException();
        // Synapse: a shadow-banned user has his room, and nobody hears of it.
        if (requester.IsShadowBanned) plan = plan with { Invites = [], ThirdParties = [] };
        foreach (var _ in plan.ThirdParties) await limiter.RequireAsync(RateLimitRules.ThirdPartyInvite, requester, ct);
        var roomId = await creation.CreateAsync(plan, ct);
        foreach (var invitee in plan.ThirdParties) await thirdParties.InviteAsync(roomId, requester, invitee, plan.IsDirect, null, ct);
        return MatrixResults.Object(w => w.WriteString("room_id", roomId));
    }
}

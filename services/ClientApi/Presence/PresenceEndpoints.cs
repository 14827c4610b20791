using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Presence;

/// <summary>Spec: client-server-api/#presence</summary>
internal static class PresenceEndpoints
{
    private const string Path = "/presence/{userId}/status";
    /// <summary>Characters of a status message.</summary>
    private const int MaxStatus = 4096;

    private static readonly TimeSpan ReadYourWrites = TimeSpan.FromMilliseconds(500);

    public static void MapPresence(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.ApiV1R0V3Unstable, Path, Get).Named("get_presence");
        routes.Put(ClientVersions.ApiV1R0V3Unstable, Path, Put).Named("set_presence").RateLimited(RateLimitRules.Presence);
    }

    private static async Task<IResult> Get(
        UserId userId, Requester requester, PresenceTracker tracker, MembershipStore memberships, HomeserverConfig config, TimeProvider clock,
        CancellationToken ct)
    {
        if (config.EnablePresence && userId != requester.UserId && !await memberships.ShareRoomAsync(requester.UserId.Value, userId.Value, ct))
            throw MatrixError.Forbidden("You are not allowed to see their presence.").AsException();
        var presence = config.EnablePresence ? tracker.Find(userId.Value) : null;
        return MatrixResults.Object(w =>
        {
            w.WriteString("presence"u8, presence?.Presence ?? "offline");
            if (presence is null) return;
            if (presence.StatusMsg is { } status) w.WriteString("status_msg"u8, status);
            if (presence.LastActiveTsMs > 0)
                w.WriteNumber("last_active_ago"u8, Math.Max(0, clock.GetUtcNow().ToUnixTimeMilliseconds() - presence.LastActiveTsMs));
            w.WriteBoolean("currently_active"u8, presence.CurrentlyActive);
        });
    }

    private static async Task<IResult> Put(
        UserId userId, JsonBody body, Requester requester, IStreamPublisher publisher, IStreamFollower follower, HomeserverConfig config, TimeProvider clock,
        CancellationToken ct)
    {
        requester.RequireSelf(userId, "Can only set your own presence state");
        var request = body.AsObject();
        var presence = request.RequiredString("presence");
        if (presence is not ("online" or "unavailable" or "offline")) throw MatrixError.InvalidParam("Invalid presence state").AsException();
        var status = request.StringOrNull("status_msg");
        if (status is { Length: > MaxStatus }) throw MatrixError.InvalidParam("status_msg is too long").AsException();
        if (!config.EnablePresence) return MatrixResults.Empty;
        var row = new PresenceRow(presence, status, clock.GetUtcNow().ToUnixTimeMilliseconds(), presence == "online");
        var position = await publisher.PublishEphemeralAsync(Replication.Streams.Presence, userId.Value, row.Encode(), ct);
        // Who asks next, here, sees what he has set.
        if (position > 0) await follower.WaitForAsync(Replication.Streams.Presence, position, ReadYourWrites, ct);
        return MatrixResults.Empty;
    }
}

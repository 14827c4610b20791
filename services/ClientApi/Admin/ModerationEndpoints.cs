using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Admin;

/// <summary>
/// Locking, suspending, looking at accounts. Spec: client-server-api/#account-moderation, #server-administration. Synapse: admin_api/user_admin_api,
/// admin_api/account_validity
/// </summary>
internal static class ModerationEndpoints
{
    private const string Synapse = "/_synapse/admin/v1";

    public static void MapModeration(this ClientRoutes routes)
    {
        // The paths of the proposals (MSC4323) are those of older clients.
        foreach (var prefix in (string[])["/_matrix/client/v1/admin", "/_matrix/client/unstable/uk.timedout.msc4323/admin"])
        {
            routes.Map("GET", prefix + "/lock/{userId}", GetLocked).Named("admin_get_lock");
            routes.Map("PUT", prefix + "/lock/{userId}", PutLocked).Named("admin_set_lock");
            routes.Map("GET", prefix + "/suspend/{userId}", GetSuspended).Named("admin_get_suspension");
            routes.Map("PUT", prefix + "/suspend/{userId}", PutSuspended).Named("admin_set_suspension");
        }
        routes.Get(ClientVersions.R0V3Unstable, "/admin/whois/{userId}", WhoIs).Named("admin_whois");
        routes.Map("GET", Synapse + "/whois/{userId}", WhoIs).Named("admin_whois");
        routes.Map("PUT", Synapse + "/suspend/{userId}", SynapseSuspend).Named("admin_suspend_user");
        routes.Map("POST", Synapse + "/users/{userId}/shadow_ban", ShadowBan).Named("admin_shadow_ban_user");
        routes.Map("DELETE", Synapse + "/users/{userId}/shadow_ban", EndShadowBan).Named("admin_end_shadow_ban");
        routes.Map("GET", Synapse + "/users/{userId}/override_ratelimit", GetOverride).Named("admin_get_ratelimit_override");
        routes.Map("POST", Synapse + "/users/{userId}/override_ratelimit", SetOverride).Named("admin_set_ratelimit_override");
        routes.Map("DELETE", Synapse + "/users/{userId}/override_ratelimit", RemoveOverride).Named("admin_remove_ratelimit_override");
        routes.Map("POST", Synapse + "/account_validity/validity", SetValidity).Named("admin_set_account_validity");
    }

    private static IResult Say(string name, bool value) => MatrixResults.Object(w => w.WriteBoolean(name, value));

    private static bool Wanted(JsonBody body, string name) =>
        body.AsObject().BoolOrNull(name) ?? throw MatrixError.MissingParam($"Missing '{name}' parameter").AsException();

    private static async Task<IResult> GetLocked(UserId userId, Requester requester, Moderation moderation, CancellationToken ct) =>
        Say("locked", (await moderation.FindOtherAsync(requester, userId, ct)).Locked);

    private static async Task<IResult> PutLocked(UserId userId, JsonBody body, Requester requester, Moderation moderation, CancellationToken ct)
    {
        requester.RequireAdmin();
        var locked = Wanted(body, "locked");
        await moderation.SetLockedAsync(requester, userId, locked, ct);
        return Say("locked", locked);
    }

    private static async Task<IResult> GetSuspended(UserId userId, Requester requester, Moderation moderation, CancellationToken ct) =>
        Say("suspended", (await moderation.FindOtherAsync(requester, userId, ct)).Suspended);

    private static async Task<IResult> PutSuspended(UserId userId, JsonBody body, Requester requester, Moderation moderation, CancellationToken ct)
    {
        requester.RequireAdmin();
        var suspended = Wanted(body, "suspended");
        await moderation.SetSuspendedAsync(requester, userId, suspended, ct);
        return Say("suspended", suspended);
    }

    private static async Task<IResult> SynapseSuspend(UserId userId, JsonBody body, Requester requester, Moderation moderation, CancellationToken ct)
    {
        requester.RequireAdmin();
        var suspend = Wanted(body, "suspend");
        await moderation.SetSuspendedAsync(requester, userId, suspend, ct);
        return MatrixResults.Object(w => w.WriteBoolean($"user_{userId.Value}_suspended", suspend));
    }

    private static async Task<IResult> ShadowBan(UserId userId, Requester requester, Moderation moderation, CancellationToken ct)
    {
        await moderation.SetShadowBannedAsync(requester, userId, true, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> EndShadowBan(UserId userId, Requester requester, Moderation moderation, CancellationToken ct)
    {
        await moderation.SetShadowBannedAsync(requester, userId, false, ct);
        return MatrixResults.Empty;
    }

    /// <summary>Users may look at themselves, administrators at everybody.</summary>
    private static async Task<IResult> WhoIs(
        UserId userId, Requester requester, ModerationStore store, SeenDevices seen, HomeserverConfig config, CancellationToken ct)
    {
        if (userId != requester.UserId) requester.RequireAdmin();
        if (userId.Server != config.ServerName) throw MatrixError.InvalidParam("Can only whois a local user").AsException();
        // What this process has seen; others write theirs down once a minute.
        await seen.FlushAsync(ct);
        var connections = await store.ConnectionsAsync(userId.Value, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteString("user_id"u8, userId.Value);
            w.WriteStartObject("devices"u8);
            foreach (var c in connections)
            {
                w.WriteStartObject(c.DeviceId);
                w.WriteStartArray("sessions"u8);
                w.WriteStartObject();
                w.WriteStartArray("connections"u8);
                if (c is { Ip: { } ip, LastSeenTsMs: { } seen })
                {
                    w.WriteStartObject();
                    w.WriteString("ip"u8, ip);
                    w.WriteNumber("last_seen"u8, seen);
                    w.WriteString("user_agent"u8, c.UserAgent ?? "");
                    w.WriteEndObject();
                }
                w.WriteEndArray();
                w.WriteEndObject();
                w.WriteEndArray();
                w.WriteEndObject();
            }
            w.WriteEndObject();
        });
    }

    private static IResult Override(RateOverride? limit) => limit is null
        ? MatrixResults.Empty
        : MatrixResults.Object(w =>
        {
            w.WriteNumber("messages_per_second"u8, limit.MessagesPerSecond);
            w.WriteNumber("burst_count"u8, limit.BurstCount);
        });

    private static async Task<IResult> GetOverride(UserId userId, Requester requester, Moderation moderation, ModerationStore store, CancellationToken ct)
    {
        await moderation.FindAsync(requester, userId, ct);
        return Override(await store.FindOverrideAsync(userId.Value, ct));
    }

    private static async Task<IResult> SetOverride(UserId userId, JsonBody body, Requester requester, Moderation moderation, CancellationToken ct)
    {
        requester.RequireAdmin();
        var request = body.AsObjectOrEmpty();
        var limit = new RateOverride(Count("messages_per_second"), Count("burst_count"));
        await moderation.SetOverrideAsync(requester, userId, limit, ct);
        return Override(limit);

        int Count(string name) => request.IntOrNull(name) is var n and (null or >= 0 and <= int.MaxValue)
            ? (int)(n ?? 0) : throw MatrixError.InvalidParam($"{name} parameter must be a positive int").AsException();
    }

    private static async Task<IResult> RemoveOverride(UserId userId, Requester requester, Moderation moderation, CancellationToken ct)
    {
        await moderation.SetOverrideAsync(requester, userId, null, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> SetValidity(
        JsonBody body, Requester requester, Moderation moderation, AccountRenewalStore renewals, HomeserverConfig config, TimeProvider clock, CancellationToken ct)
    {
        requester.RequireAdmin();
        var request = body.AsObject();
        if (!UserId.TryParse(request.RequiredString("user_id"), null, out var user)) throw MatrixError.InvalidParam("Invalid user_id").AsException();
        var expires = request.IntOrNull("expiration_ts")
            ?? (clock.GetUtcNow() + (config.Accounts.AccountValidity ?? TimeSpan.FromDays(365))).ToUnixTimeMilliseconds();
        var mails = request.BoolOrNull("enable_renewal_emails") ?? true;
        await moderation.SetExpiryAsync(requester, user, expires, ct);
        if (!mails) await renewals.MarkAskedAsync(user.Value, ct);
        return MatrixResults.Object(w => w.WriteNumber("expiration_ts"u8, expires));
    }
}

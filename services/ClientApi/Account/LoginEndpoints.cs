using Matrix.Web.RateLimits;
using System.Text.Json;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Account;

/// <summary>Login, logout, refreshing. Spec: client-server-api/#login</summary>
internal static class LoginEndpoints
{
    public static void MapLogin(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/login", GetFlows).Anonymous().Named("get_login_flows");
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/login", LogIn).Anonymous().Named("login").RateLimited(RateLimitRules.LoginAddress);
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/logout", LogOut).AllowGuests().Named("logout");
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/logout/all", LogOutAll).AllowGuests().Named("logout_all");
        routes.Post(ClientVersions.R0V3Unstable | ClientVersions.V1, "/refresh", Refresh).Anonymous().Named("refresh");
        routes.Post(ClientVersions.V1, "/login/get_token", GetLoginToken).Named("get_login_token");
    }

    private static IResult GetFlows(IEnumerable<ILoginType> types) => MatrixResults.Object(w =>
    {
        w.WriteStartArray("flows"u8);
        foreach (var type in types) type.WriteFlows(w);
        w.WriteEndArray();
    });

    private static async Task<IResult> LogIn(
        JsonBody body, IEnumerable<ILoginType> types, Sessions sessions, RateLimiter limiter, LoginClient client, HomeserverConfig config,
        CancellationToken ct)
    {
        var submission = body.AsObject();
        var name = submission.RequiredString("type");
        var type = types.FirstOrDefault(t => t.Serves(name)) ?? throw MatrixError.Unknown(400, "Unknown login type.").AsException();
        var deviceId = DeviceIds.Of(submission);
        var displayName = DeviceIds.DisplayNameOf(submission);
        var refreshable = submission.BoolOrNull("refresh_token") ?? false;
        var proof = await type.ProveAsync(submission, client, ct);
        await limiter.RequireAsync(RateLimitRules.LoginAccount, null, proof.User.Value, ct);
        var session = await sessions.LogInAsync(proof.User, deviceId, displayName, ct, refreshable, proof.IsOwn);
        if (proof.AfterLogin is { } after) await after(session.DeviceId, ct);
        return LoginAnswer.Of(session.User, session, config, withWellKnown: true);
    }

    private static async Task<IResult> LogOut(Requester requester, Sessions sessions, CancellationToken ct)
    {
        await sessions.LogOutAsync(requester.UserId, [requester.DeviceId], ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> LogOutAll(Requester requester, Sessions sessions, CancellationToken ct)
    {
        await sessions.LogOutAsync(requester.UserId, null, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> Refresh(JsonBody body, Sessions sessions, CancellationToken ct)
    {
        var tokens = await sessions.RefreshAsync(body.AsObject().RequiredString("refresh_token"), ct);
        return MatrixResults.Object(w => LoginAnswer.WriteTokens(w, tokens));
    }

    // Spec: client-server-api/#post_matrixclientv1loginget_token
    private static async Task<IResult> GetLoginToken(
        JsonBody body, Requester requester, Reauthentication reauthentication, LoginTokenStore tokens, HomeserverConfig config, CancellationToken ct)
    {
        var settings = config.Accounts.LoginTokens;
        if (!settings.Enabled) throw MatrixError.Unrecognized().AsException();
        if (settings.RequireUiAuth)
        {
            var outcome = await reauthentication.CheckAsync(requester, "login_token", body.AsObjectOrEmpty(), ct);
            if (outcome.Challenge is { } challenge) return challenge;
        }
        var token = await tokens.CreateAsync(requester.UserId.Value, settings.Lifetime, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteString("login_token"u8, token);
            w.WriteNumber("expires_in_ms"u8, (long)settings.Lifetime.TotalMilliseconds);
        });
    }
}

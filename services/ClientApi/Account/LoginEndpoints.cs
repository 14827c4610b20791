using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Account;

/// <summary>Login and logout. Spec: client-server-api/#login</summary>
internal static class LoginEndpoints
{
    private static readonly byte[] Flows = """{"flows":[{"type":"m.login.password"}]}"""u8.ToArray();

    public static void MapLogin(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/login", GetFlows).Anonymous().Named("get_login_flows");
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/login", LogIn).Anonymous().Named("login");
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/logout", LogOut).AllowGuests().Named("logout");
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/logout/all", LogOutAll).AllowGuests().Named("logout_all");
    }

    private static IResult GetFlows() => MatrixResults.Raw(Flows);

    private static async Task<IResult> LogIn(JsonBody body, PasswordLogin login, Sessions sessions, HomeserverConfig config, CancellationToken ct)
    {
        var submission = body.AsObject();
        var type = submission.RequiredString("type");
        if (type != "m.login.password") throw MatrixError.Unknown(400, "Unknown login type.").AsException();
        var deviceId = DeviceIds.Of(submission);
        var displayName = DeviceIds.DisplayNameOf(submission);
        var user = await login.AuthenticateAsync(submission, ct);
        var session = await sessions.LogInAsync(user, deviceId, displayName, ct);
        return LoginAnswer.Of(session.User, session.Token, session.DeviceId, config, withWellKnown: true);
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
}

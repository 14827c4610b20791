using Matrix.Web.RateLimits;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Account;

/// <summary>Registration. Spec: client-server-api/#account-registration-and-management</summary>
internal static class RegisterEndpoints
{
    public static void MapRegister(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/register", Register).Anonymous().Named("register");
        routes.Get(ClientVersions.R0V3Unstable, "/register/available", GetAvailable).Anonymous().Named("get_username_availability");
        routes.Get(ClientVersions.R0V3Unstable, "/password_policy", GetPasswordPolicy).Anonymous().Named("get_password_policy");
    }

    private static async Task<IResult> Register(
        JsonBody body, string? kind, LoginClient client, UserRegistration users, AppServiceUserRegistration services, Registration registration,
        RateLimiter limiter, HomeserverConfig config, CancellationToken ct)
    {
        var request = body.AsObjectOrEmpty();
        switch (kind)
        {
            case "guest": return await RegisterGuest(request, registration, limiter, client, config, ct);
            case null or "user": break;
            default: throw MatrixError.InvalidParam("'kind' must be 'user' or 'guest'").AsException();
        }
        return services.Wants(request) ? await services.RegisterAsync(request, client, ct) : await users.RegisterAsync(request, client, ct);
    }

    private static async Task<IResult> RegisterGuest(
        JsonElement request, Registration registration, RateLimiter limiter, LoginClient client, HomeserverConfig config, CancellationToken ct)
    {
        if (!config.AllowGuestAccess) throw MatrixError.Forbidden("Guest access is disabled").AsException();
        await limiter.RequireAsync(RateLimitRules.Registration, null, client.Address, ct);
        var guest = await registration.RegisterGuestAsync(DeviceIds.DisplayNameOf(request), ct);
        return LoginAnswer.Of(guest.User, guest, config);
    }

    private static IResult GetPasswordPolicy(PasswordRules rules) => MatrixResults.Object(rules.Write);

    private static async Task<IResult> GetAvailable(string? username, UserRegistration users, HomeserverConfig config, CancellationToken ct)
    {
        if (!config.EnableRegistration) throw MatrixError.Forbidden("Registration has been disabled").AsException();
        if (username is null) throw MatrixError.MissingParam("Missing 'username' parameter").AsException();
        await users.RequireFreeAsync(username, ct);
        return MatrixResults.Object(w => w.WriteBoolean("available"u8, true));
    }
}

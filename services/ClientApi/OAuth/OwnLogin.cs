using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>
/// Our login pages as the place that <c>m.login.sso</c> leads to: clients that know of the OAuth 2.0 API without speaking it send users here.
/// Spec: client-server-api/#oauth-20-aware-clients
/// </summary>
internal sealed class OwnLogin(
    OAuthAddresses addresses, SignUpPolicy signUp, WebLogin web, LoginGate gate, LoginTokenStore tokens, SsoPages pages, HomeserverConfig config)
{
    public const string Path = OwnPaths.Root + "login/client";

    public bool IsEnabled => addresses.IsEnabled && config.Accounts.Passwords.LoginEnabled;

    /// <param name="action"><c>login</c>, <c>register</c>; anything else, and null, is a login.</param>
    public IResult Begin(string redirectUrl, string? action)
    {
        var next = $"{Path}?redirectUrl={Uri.EscapeDataString(redirectUrl)}";
        return new Found(action == "register" && signUp.IsOpen ? $"{addresses.Of("signup")}?next={Uri.EscapeDataString(next)}" : addresses.Of($"login/client?redirectUrl={Uri.EscapeDataString(redirectUrl)}"));
    }

    /// <summary>To the client with a login token, once somebody has logged in.</summary>
    public async Task<IResult> FinishAsync(string? redirectUrl, Browser browser, CancellationToken ct)
    {
        var address = ClientAddresses.Require(redirectUrl);
        if (await web.FindAsync(browser, ct) is not { } session) return web.ToLogin($"{Path}?redirectUrl={Uri.EscapeDataString(address)}");
        var user = new UserId(session.UserId);
        await gate.RequireOpenAsync(user, ct);
        return await pages.ToClientAsync(address, await tokens.CreateAsync(user.Value, LoginTokenStore.DefaultLifetime, ct), user, isNew: false, mustConfirm: false, ct);
    }
}

internal static class OwnLoginEndpoints
{
    public static void MapOwnLogin(this ClientRoutes routes) =>
        routes.Map("GET", OwnLogin.Path, (string? redirectUrl, Browser browser, OwnLogin own, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
            LoginPageEndpoints.Run(pages, addresses, () => own.FinishAsync(redirectUrl, browser, ct))).Anonymous().Named("oauth_login_client");
}

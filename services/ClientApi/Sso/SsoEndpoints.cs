using Matrix.ClientApi.OAuth;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso.Cas;
using Matrix.ClientApi.Sso.Oidc;
using Matrix.ClientApi.Sso.Saml;
using Matrix.Primitives;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Mvc;

namespace Matrix.ClientApi.Sso;

/// <summary>Login at a provider. Spec: client-server-api/#client-login-via-sso</summary>
internal static class SsoEndpoints
{
    public static void MapSso(this ClientRoutes routes)
    {
        const ClientVersions v = ClientVersions.ApiV1R0V3Unstable;
        routes.Get(v, "/login/sso/redirect", Redirect).Anonymous().Named("sso_redirect");
        routes.Get(v, "/login/sso/redirect/{idpId}", RedirectTo).Anonymous().Named("sso_redirect_to_idp");
        routes.Get(v, "/login/cas/redirect", CasRedirect).Anonymous().Named("cas_redirect");
        routes.Get(v, "/login/cas/ticket", CasTicket).Anonymous().Named("cas_ticket");
        routes.Get(v, "/auth/m.login.sso/fallback/web", UiaFallback).Anonymous().Named("sso_uia_fallback");
        routes.Map("GET", "/_synapse/client/pick_idp", PickIdp).Anonymous().Named("pick_idp");
        routes.Map("GET", "/_synapse/client/oidc/callback", OidcCallback).Anonymous().Named("oidc_callback");
        routes.Map("POST", "/_synapse/client/oidc/callback", OidcFormCallback).Anonymous().Named("oidc_form_callback");
        routes.Map("POST", "/_synapse/client/oidc/backchannel_logout", BackchannelLogout.HandleAsync).Anonymous().Named("oidc_backchannel_logout");
        routes.MapSsoRegistration();
        routes.MapSaml();
    }

    private static Task<IResult> Redirect(
        string? redirectUrl, string? action, [FromQuery(Name = "org.matrix.msc3824.action")] string? oldAction, HttpRequest request, Browser browser, SsoProviders providers,
        OwnLogin own, SsoPages pages, SsoCallbacks callbacks, Pages.Pages guard, CancellationToken ct) => guard.GuardAsync(async () =>
        {
            action ??= oldAction;
            // Who says what he wants knows our login pages; others have asked for a password themselves, and want to go elsewhere.
            if (own.IsEnabled && (action is not null || providers.All.Count == 0)) return own.Begin(ClientAddresses.Require(redirectUrl), action);
            RequireAny(providers);
            var address = ClientAddresses.Require(redirectUrl);
            return providers.All is [var only]
                ? await SendAsync(callbacks, only, new(SsoGoal.Client, address), request, browser, ct)
                : new Found($"{pages.Address("pick_idp")}?redirectUrl={Uri.EscapeDataString(address)}");
        });

    private static Task<IResult> RedirectTo(
        string idpId, string? redirectUrl, HttpRequest request, Browser browser, SsoProviders providers, SsoCallbacks callbacks, Pages.Pages guard, CancellationToken ct) => guard.GuardAsync(async () =>
        {
            RequireAny(providers);
            var address = ClientAddresses.Require(redirectUrl);
            return await SendAsync(callbacks, Find(providers, idpId), new(SsoGoal.Client, address), request, browser, ct);
        });

    private static Task<IResult> CasRedirect(
        string? redirectUrl, HttpRequest request, Browser browser, SsoProviders providers, SsoCallbacks callbacks, Pages.Pages guard, CancellationToken ct) =>
        guard.GuardAsync(async () =>
        {
            if (providers.Find(CasProvider.Name) is not { } cas) throw MatrixError.Unrecognized().AsException();
            return await SendAsync(callbacks, cas, new(SsoGoal.Client, ClientAddresses.Require(redirectUrl)), request, browser, ct);
        });

    private static Task<IResult> CasTicket(
        string? ticket, string? redirectUrl, string? session, string? state, Browser browser, SsoProviders providers, SsoCallbacks callbacks, CancellationToken ct) =>
        callbacks.RunAsync(CasProvider.Name, async login =>
        {
            if (providers.Find(CasProvider.Name) is not CasProvider cas) throw MatrixError.Unrecognized().AsException();
            var (identity, target) = await cas.ReadAsync(ticket, redirectUrl, session, state, browser, ct);
            return await login.CompleteAsync(cas, identity, target, browser, ct, mustConfirm: !browser.HasFlow);
        });

    /// <summary>The page where a user with several providers chooses; the same address takes the choice.</summary>
    private static Task<IResult> PickIdp(
        string? redirectUrl, string? idp, HttpRequest request, Browser browser, SsoProviders providers, SsoPages pages, SsoCallbacks callbacks, Pages.Pages guard,
        CancellationToken ct) => guard.GuardAsync(async () =>
        {
            RequireAny(providers);
            var address = ClientAddresses.Require(redirectUrl);
            return idp is null
                ? pages.Picker(providers.All, address)
                : await SendAsync(callbacks, Find(providers, idp), new(SsoGoal.Client, address), request, browser, ct);
        });

    private static Task<IResult> OidcCallback(
        string? state, string? code, string? error, string? iss, Browser browser, SsoCallbacks callbacks, CancellationToken ct) =>
        callbacks.RunAsync("oidc", login => callbacks.CompleteOidcAsync(login, state, code, error, iss, browser, ct));

    /// <summary>Providers that answer with a form (response_mode form_post).</summary>
    private static Task<IResult> OidcFormCallback(FormBody form, Browser browser, SsoCallbacks callbacks, CancellationToken ct) =>
        callbacks.RunAsync("oidc", login => callbacks.CompleteOidcAsync(login, form["state"], form["code"], form["error"], form["iss"], browser, ct));

    /// <summary>Spec: client-server-api/#sso-during-user-interactive-authentication: the user is told what he confirms before he is sent on.</summary>
    private static Task<IResult> UiaFallback(
        string? session, HttpRequest request, Browser browser, SsoUiaResults uia, SsoPages pages, SsoCallbacks callbacks, Pages.Pages guard, CancellationToken ct) => guard.GuardAsync(async () =>
        {
            if (session is null) throw new PageException(400, "M_MISSING_PARAM", "The session is missing.");
            var (user, operation) = await uia.FindAsync(session, ct);
            if (await uia.ProviderOfAsync(user, ct) is not { } provider)
                throw new PageException(400, "M_UNRECOGNIZED", "Your account is not connected to any provider.");
            return pages.UiaConfirm(provider, UiaOperations.Describe(operation), await callbacks.BeginAsync(provider, new(SsoGoal.Uia, session), browser, request.Query, ct));
        });

    private static async Task<IResult> SendAsync(
        SsoCallbacks callbacks, ISsoProvider provider, SsoTarget target, HttpRequest request, Browser browser, CancellationToken ct) =>
        new Found(await callbacks.BeginAsync(provider, target, browser, request.Query, ct));

    private static void RequireAny(SsoProviders providers)
    {
        if (providers.All.Count == 0) throw MatrixError.Unrecognized("Homeserver not configured for SSO.").AsException();
    }

    private static ISsoProvider Find(SsoProviders providers, string id) =>
        providers.Find(id) ?? throw new PageException(404, "M_NOT_FOUND", "There is no such provider here.");
}

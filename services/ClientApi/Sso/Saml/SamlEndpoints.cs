using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>Where SAML identity providers learn about us, and where they send browsers.</summary>
internal static class SamlEndpoints
{
    private const string Consumer = "/_synapse/client/saml2/authn_response";
    /// <summary>Bytes of a form with a response.</summary>
    private const int MaxForm = 1024 * 1024;

    public static void MapSaml(this ClientRoutes routes)
    {
        routes.Map("GET", "/_synapse/client/saml2/metadata.xml", GetMetadata).Anonymous().Named("saml_metadata");
        routes.Map("GET", "/_synapse/client/saml2/authn_request", PostRequest).Anonymous().Named("saml_post_request");
        routes.Map("GET", Consumer, RefuseRedirect).Anonymous().Named("saml_redirect_response");
        routes.Map("POST", Consumer, Consume).Anonymous().Named("saml_response").BodyLimit(MaxForm);
    }

    private static IResult GetMetadata(SsoProviders providers) => Results.Text(Find(providers).Metadata(), "application/samlmetadata+xml");

    /// <summary>The page that sends the browser on to an identity provider that wants a form.</summary>
    private static Task<IResult> PostRequest(string? state, Browser browser, SsoProviders providers, SsoCallbacks callbacks, Pages.Pages pages, CancellationToken ct) =>
        callbacks.RunAsync(SamlProvider.Name, async _ =>
        {
            var provider = Find(providers);
            var (address, request) = await provider.PostAsync(state, browser, ct);
            return pages.Show("saml_post_request.html", new Dictionary<string, object?>
            {
                ["address"] = address, ["saml_request"] = request, ["relay_state"] = state, ["idp"] = SsoPages.Describe(provider),
            });
        });

    private static Task<IResult> RefuseRedirect(SsoProviders providers, Pages.Pages pages) => pages.GuardAsync(() =>
    {
        Find(providers);
        throw new PageException(400, "unexpected_response", "The identity provider must send its response with a form (HTTP-POST).");
    });

    private static Task<IResult> Consume(FormBody form, Browser browser, SsoProviders providers, SsoCallbacks callbacks, CancellationToken ct) =>
        callbacks.RunAsync(SamlProvider.Name, async login =>
        {
            var provider = Find(providers);
            var (identity, target, unsolicited) = await provider.ReadAsync(form["SAMLResponse"], form["RelayState"], browser, ct);
            return await login.CompleteAsync(provider, identity, target, browser, ct, mustConfirm: unsolicited);
        });

    private static SamlProvider Find(SsoProviders providers) =>
        providers.Find(SamlProvider.Name) as SamlProvider ?? throw MatrixError.Unrecognized().AsException();
}

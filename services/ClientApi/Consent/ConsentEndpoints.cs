using Matrix.ClientApi.Pages;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Consent;

/// <summary>The policy of the server, and who agrees to it. Synapse: <c>user_consent</c>, with its address and its fields.</summary>
internal static class ConsentEndpoints
{
    private const string Path = "/_matrix/consent";

    public static void MapConsent(this ClientRoutes routes)
    {
        routes.Map("GET", Path, (string? u, string? h, string? v, ConsentPages consent, Pages.Pages pages, CancellationToken ct) =>
            pages.GuardAsync(() => consent.ShowAsync(u, h, v, ct))).Anonymous().Named("get_consent");
        routes.Map("POST", Path, (FormBody form, ConsentPages consent, Pages.Pages pages, CancellationToken ct) =>
            pages.GuardAsync(() => consent.AgreeAsync(form["u"], form["h"], form["v"], ct))).Anonymous().Named("give_consent");
    }
}

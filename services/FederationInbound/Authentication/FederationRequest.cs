using Matrix.Web.Json;

namespace Matrix.FederationInbound.Authentication;

/// <summary>
/// A request whose X-Matrix signature was verified. A handler that takes one is thereby authenticated; its route says Anonymous, which is about
/// user tokens.
/// </summary>
/// <param name="Origin">The server that asks.</param>
/// <param name="Body">As it was signed; empty when the request has none.</param>
internal sealed record FederationRequest(string Origin, JsonBody Body)
{
    public static async ValueTask<FederationRequest?> BindAsync(HttpContext context) =>
        await context.RequestServices.GetRequiredService<XMatrixAuthenticator>().AuthenticateAsync(context);
}

using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.Storage.Sso;
using Matrix.Web.Json;
using Microsoft.IdentityModel.JsonWebTokens;

namespace Matrix.ClientApi.Sso.Oidc;

/// <summary>A provider tells that a user has logged out there: his devices that came in through that session end. OpenID Connect Back-Channel Logout 1.0</summary>
internal static partial class BackchannelLogout
{
    public static async Task<IResult> HandleAsync(
        FormBody form, SsoProviders providers, ExternalIdStore links, Sessions sessions, ILogger<OidcProvider> log, HttpResponse response, CancellationToken ct)
    {
        response.Headers.CacheControl = "no-store";
        var token = form["logout_token"];
        if (token is null || Find(providers, token) is not { } provider) return Refuse("There is no provider that this token could be from.");
        try
        {
            var claims = await provider.Tokens.LogoutTokenAsync(token, ct);
            // Synapse: a logout of all sessions of a user (without sid) is not supported.
            if (ProviderJson.Text(claims, "sid") is not { } sid) return Refuse("The token names no session (sid).");
            var subject = provider.Settings.BackchannelLogoutIgnoreSub ? null : ProviderJson.Text(claims, "sub");
            foreach (var device in (await links.DevicesOfSessionAsync(provider.Id, sid, subject, ct)).GroupBy(d => d.UserId))
                await sessions.LogOutAsync(new UserId(device.Key), [.. device.Select(d => d.DeviceId)], ct);
            return MatrixResults.Empty;
        }
        catch (ProviderException e)
        {
            LogRefused(log, provider.Id, e.Message);
            return Refuse("The token cannot be verified.");
        }
    }

    /// <summary>By what the token says of itself, which is verified afterwards.</summary>
    private static OidcProvider? Find(SsoProviders providers, string token)
    {
        if (token.Length > 64 * 1024) return null;
        try
        {
            var read = new JsonWebToken(token);
            return providers.All.OfType<OidcProvider>().FirstOrDefault(p =>
                p.Settings.BackchannelLogout && p.Settings.Issuer == read.Issuer && read.Audiences.Contains(p.Settings.ClientId));
        }
        catch (Exception e) when (e is ArgumentException or JsonException)
        {
            return null;
        }
    }

    private static IResult Refuse(string description) => MatrixResults.Object(w =>
    {
        w.WriteString("error"u8, "invalid_request");
        w.WriteString("error_description"u8, description);
    }, 400);

    [LoggerMessage(4031, LogLevel.Warning, "Logout told by {Provider} refused: {Reason}")]
    private static partial void LogRefused(ILogger log, string provider, string reason);
}

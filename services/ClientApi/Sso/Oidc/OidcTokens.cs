using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.ServiceDefaults;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Matrix.ClientApi.Sso.Oidc;

/// <summary>Verifies tokens that a provider signed: issuer, audience, signature, time. Every fault is a <see cref="ProviderException"/>.</summary>
internal sealed class OidcTokens(OidcConfig config, OidcMetadata metadata, TimeProvider clock)
{
    private static readonly TimeSpan Leeway = TimeSpan.FromMinutes(2);
    /// <summary>None of them can be had with a public key as the secret.</summary>
    private static readonly string[] Algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];
    private readonly JsonWebTokenHandler handler = new() { MaximumTokenSizeInBytes = 64 * 1024 };

    /// <summary>The claims of an id token, which must carry the nonce of this login.</summary>
    public async Task<JsonElement> IdTokenAsync(string token, string? nonce, CancellationToken ct)
    {
        var claims = await VerifyAsync(token, ct);
        if (nonce is null || ProviderJson.Text(claims, "nonce") is not { } given || !Browser.FixedTimeEquals(given, nonce))
            throw new ProviderException("the id token is not for this login: its nonce is another");
        // OpenID Connect Core 3.1.3.7: several audiences name who asked.
        if (ProviderJson.Text(claims, "azp") is { } party && party != config.ClientId) throw new ProviderException("the id token is for another client (azp)");
        if (!claims.TryGetProperty("exp", out var exp) || !exp.TryGetInt64(out var expires)) throw new ProviderException("the id token has no end (exp)");
        RequireTime(DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(expires, 0, 253402300799)));
        return claims;
    }

    /// <summary>The claims of a logout token. OpenID Connect Back-Channel Logout 1.0, 2.6.</summary>
    public async Task<JsonElement> LogoutTokenAsync(string token, CancellationToken ct)
    {
        var claims = await VerifyAsync(token, ct);
        if (!claims.TryGetProperty("events", out var events) || events.ValueKind != JsonValueKind.Object
            || !events.TryGetProperty("http://schemas.openid.net/event/backchannel-logout", out _)) throw new ProviderException("the token is no logout token");
        if (claims.TryGetProperty("nonce", out _)) throw new ProviderException("the logout token has a nonce");
        if (!claims.TryGetProperty("iat", out var iat) || !iat.TryGetInt64(out var issued)) throw new ProviderException("the logout token does not say when it was made");
        var until = claims.TryGetProperty("exp", out var exp) && exp.TryGetInt64(out var end) ? end : issued + 600;
        RequireTime(DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(until, 0, 253402300799)));
        return claims;
    }

    private void RequireTime(DateTimeOffset until)
    {
        if (until + Leeway < clock.GetUtcNow()) throw new ProviderException("the token has expired");
    }

    private async Task<JsonElement> VerifyAsync(string token, CancellationToken ct)
    {
        var issuer = (await metadata.EndpointsAsync(ct)).Issuer;
        var result = await handler.ValidateTokenAsync(token, Parameters(issuer, await KeysAsync(false, ct)));
        if (!result.IsValid && result.Exception is SecurityTokenSignatureKeyNotFoundException or SecurityTokenInvalidSignatureException)
            result = await handler.ValidateTokenAsync(token, Parameters(issuer, await KeysAsync(true, ct)));
        if (!result.IsValid) throw new ProviderException($"a token of the provider is not good: {result.Exception?.GetType().Name}", result.Exception);
        using var payload = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(((JsonWebToken)result.SecurityToken).EncodedPayload));
        return payload.RootElement.Clone();
    }

    private async Task<IReadOnlyList<SecurityKey>> KeysAsync(bool anew, CancellationToken ct)
    {
        // Symmetric signatures are accepted only when the administrator says so; the key is the client's secret then, never one that the provider publishes.
        if (config.SigningAlgorithms is { } given && given.All(a => a.StartsWith("HS", StringComparison.Ordinal)))
            return [new SymmetricSecurityKey(System.Text.Encoding.UTF8.GetBytes(config.ClientSecret ?? ""))];
        return [.. (await metadata.KeysAsync(anew, ct)).Where(k => k is not SymmetricSecurityKey)];
    }

    private TokenValidationParameters Parameters(string issuer, IReadOnlyList<SecurityKey> keys) => new()
    {
        ValidIssuer = issuer,
        ValidAudience = config.ClientId,
        IssuerSigningKeys = keys,
        ValidAlgorithms = config.SigningAlgorithms ?? Algorithms,
        RequireSignedTokens = true,
        RequireAudience = true,
        // Times are compared with our own clock, above.
        ValidateLifetime = false,
    };
}

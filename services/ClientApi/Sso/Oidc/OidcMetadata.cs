using System.Text.Json;
using Matrix.ServiceDefaults;
using Microsoft.IdentityModel.Tokens;

namespace Matrix.ClientApi.Sso.Oidc;

/// <summary>Where a provider is reached and what it can, from its discovery document and the configuration over it.</summary>
internal sealed record OidcEndpoints(string Issuer, string Authorization, string Token, string? UserInfo, string? Jwks, bool SupportsPkce);

/// <summary>The discovery document and the keys of one provider, kept for an hour. A key that is not known has them read again.</summary>
internal sealed class OidcMetadata(OidcConfig config, ProviderHttp http, TimeProvider clock)
{
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);
    /// <summary>Somebody who sends tokens with unknown keys does not make us ask more often.</summary>
    private static readonly TimeSpan KeysAtMost = TimeSpan.FromSeconds(30);
    private readonly SemaphoreSlim gate = new(1);
    private (OidcEndpoints Value, DateTimeOffset At)? endpoints;
    private (IReadOnlyList<SecurityKey> Value, DateTimeOffset At)? keys;

    public async Task<OidcEndpoints> EndpointsAsync(CancellationToken ct)
    {
        if (endpoints is { } known && clock.GetUtcNow() - known.At < Kept) return known.Value;
        var read = config.Discover ? await DiscoverAsync(ct) : FromConfig(default);
        endpoints = (read, clock.GetUtcNow());
        return read;
    }

    /// <param name="anew">The known ones do not hold the key of a token.</param>
    public async Task<IReadOnlyList<SecurityKey>> KeysAsync(bool anew, CancellationToken ct)
    {
        await gate.WaitAsync(ct);
        try
        {
            if (keys is { } known && clock.GetUtcNow() - known.At < (anew ? KeysAtMost : Kept)) return known.Value;
            var address = (await EndpointsAsync(ct)).Jwks ?? throw new ProviderException("the provider names no jwks_uri");
            var answer = await http.GetAsync(address, ct);
            if (answer.Status != 200) throw new ProviderException($"the keys of the provider cannot be read: status {answer.Status}");
            try
            {
                keys = ([.. new JsonWebKeySet(answer.Body).GetSigningKeys()], clock.GetUtcNow());
            }
            catch (ArgumentException e)
            {
                throw new ProviderException("the keys of the provider cannot be read", e);
            }
            return keys.Value.Value;
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<OidcEndpoints> DiscoverAsync(CancellationToken ct)
    {
        var answer = await http.GetAsync($"{config.Issuer.TrimEnd('/')}/.well-known/openid-configuration", ct);
        if (answer.Status != 200) throw new ProviderException($"the provider's openid-configuration cannot be read: status {answer.Status}");
        using var document = ProviderJson.Object(answer.Body);
        var root = document.RootElement;
        if (!config.SkipVerification && ProviderJson.Text(root, "issuer") != config.Issuer)
            throw new ProviderException($"the provider calls itself {ProviderJson.Text(root, "issuer")}, the configuration {config.Issuer}");
        return FromConfig(root);
    }

    private OidcEndpoints FromConfig(JsonElement document)
    {
        string? Find(string name) => document.ValueKind == JsonValueKind.Object ? ProviderJson.Text(document, name) : null;
        var found = new OidcEndpoints(
            Find("issuer") ?? config.Issuer, Require(config.AuthorizationEndpoint ?? Find("authorization_endpoint"), "authorization_endpoint"),
            Require(config.TokenEndpoint ?? Find("token_endpoint"), "token_endpoint"), Check(config.UserInfoEndpoint ?? Find("userinfo_endpoint"), "userinfo_endpoint"),
            Check(config.JwksUri ?? Find("jwks_uri"), "jwks_uri"), ProviderJson.Texts(document, "code_challenge_methods_supported").Contains("S256"));
        return found;
    }

    private string Require(string? address, string name) => Check(address, name) ?? throw new ProviderException($"the provider names no {name}");

    private string? Check(string? address, string name)
    {
        if (address is null) return null;
        if (!Uri.TryCreate(address, UriKind.Absolute, out var url) || !(url.Scheme == "https" || (config.SkipVerification && url.Scheme == "http")))
            throw new ProviderException($"the provider's {name} is no https address");
        return address;
    }
}

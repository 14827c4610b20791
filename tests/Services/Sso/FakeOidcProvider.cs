using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Microsoft.AspNetCore.Http;

namespace Matrix.ServiceTests.Sso;

/// <summary>An OpenID Connect provider. Tests approve a login and say what the provider claims; it checks client, redirect address and PKCE.</summary>
internal sealed class FakeOidcProvider(TimeProvider clock) : IAsyncDisposable
{
    public const string ClientId = "armada-client";
    public const string Secret = "s3cret/with:signs";
    private readonly ConcurrentDictionary<string, Grant> grants = new();
    private readonly RSA key = RSA.Create(2048);
    private LoopbackServer? server;

    private sealed record Grant(string RedirectUri, string? Challenge, Dictionary<string, object?> Claims, RSA Key, Dictionary<string, object?>? UserInfo);

    public string Address => server!.Address;
    /// <summary>What discovery says; tests may spoil it.</summary>
    public string? IssuerOverride { get; set; }
    public bool AdvertisesPkce { get; set; } = true;
    public int Exchanges { get; private set; }
    /// <summary>The secret that the last exchange came with, when it came in the form.</summary>
    public string? PostedSecret { get; private set; }

    public static async Task<FakeOidcProvider> StartAsync(TimeProvider clock)
    {
        var provider = new FakeOidcProvider(clock);
        provider.server = await LoopbackServer.StartAsync(provider.AnswerAsync);
        return provider;
    }

    public OidcConfig Config(string id) => new()
    {
        Id = id, Label = new($"Provider {id}", null, null), Issuer = Address, ClientId = ClientId, ClientSecret = Secret, SkipVerification = true,
        Scopes = ["openid", "profile"],
        Mapping = new() { LocalpartTemplate = "{{ user.preferred_username }}", DisplayNameTemplate = "{{ user.name }}", EmailTemplate = "{{ user.email }}" },
    };

    /// <summary>The user agrees: the address that his browser is sent back to.</summary>
    /// <param name="authorization">Where our server sent the browser.</param>
    /// <param name="change">Spoils the claims of the id token.</param>
    public string Approve(
        string authorization, object claims, Action<Dictionary<string, object?>>? change = null, RSA? signer = null, object? userInfo = null)
    {
        Assert.StartsWith(Address + "/authorize?", authorization);
        var query = QueryOf(authorization);
        Assert.Equal("code", query["response_type"]);
        Assert.Equal(ClientId, query["client_id"]);
        var all = new Dictionary<string, object?>
        {
            ["iss"] = Address, ["aud"] = ClientId, ["nonce"] = query["nonce"],
            ["exp"] = clock.GetUtcNow().AddMinutes(5).ToUnixTimeSeconds(), ["iat"] = clock.GetUtcNow().ToUnixTimeSeconds(),
        };
        foreach (var member in JsonSerializer.SerializeToElement(claims).EnumerateObject()) all[member.Name] = member.Value;
        change?.Invoke(all);
        var code = Guid.NewGuid().ToString("N");
        var info = userInfo is null ? null : JsonSerializer.SerializeToElement(userInfo).EnumerateObject().ToDictionary(m => m.Name, m => (object?)m.Value);
        grants[code] = new(query["redirect_uri"], query.GetValueOrDefault("code_challenge"), all, signer ?? key, info);
        return $"{query["redirect_uri"]}?code={code}&state={Uri.EscapeDataString(query["state"])}";
    }

    public string LogoutToken(object claims, RSA? signer = null) => Sign(JsonSerializer.SerializeToElement(claims).EnumerateObject().ToDictionary(m => m.Name, m => (object?)m.Value), signer ?? key);

    public static Dictionary<string, string> QueryOf(string url) => url[(url.IndexOf('?', StringComparison.Ordinal) + 1)..].Split('#')[0].Split('&')
        .Select(p => p.Split('=', 2)).ToDictionary(p => Uri.UnescapeDataString(p[0]), p => Uri.UnescapeDataString(p[1]));

    private async Task AnswerAsync(HttpContext context)
    {
        switch (context.Request.Path.Value)
        {
            case "/.well-known/openid-configuration":
                await context.Response.WriteAsync(JsonSerializer.Serialize(new
                {
                    issuer = IssuerOverride ?? Address, authorization_endpoint = Address + "/authorize", token_endpoint = Address + "/token",
                    userinfo_endpoint = Address + "/userinfo", jwks_uri = Address + "/jwks",
                    code_challenge_methods_supported = AdvertisesPkce ? new[] { "S256" } : [],
                }));
                break;
            case "/jwks":
                var p = key.ExportParameters(false);
                await context.Response.WriteAsync(JsonSerializer.Serialize(new
                {
                    keys = new[] { new { kty = "RSA", use = "sig", alg = "RS256", kid = "k1", n = UnpaddedBase64.EncodeUrl(p.Modulus), e = UnpaddedBase64.EncodeUrl(p.Exponent) } },
                }));
                break;
            case "/token":
                await ExchangeAsync(context);
                break;
            case "/userinfo":
                var token = context.Request.Headers.Authorization.ToString()["Bearer ".Length..];
                await context.Response.WriteAsync(JsonSerializer.Serialize(grants[token].UserInfo));
                break;
            default:
                context.Response.StatusCode = 404;
                break;
        }
    }

    private async Task ExchangeAsync(HttpContext context)
    {
        Exchanges++;
        var form = await context.Request.ReadFormAsync();
        var expected = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Uri.EscapeDataString(ClientId)}:{Uri.EscapeDataString(Secret)}"));
        PostedSecret = form["client_secret"];
        var known = grants.TryGetValue(form["code"].ToString(), out var grant);
        var proves = grant?.Challenge is null
            || grant.Challenge == UnpaddedBase64.EncodeUrl(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString())));
        if (!known || !proves || form["redirect_uri"] != grant!.RedirectUri || ((PostedSecret is null or "") && context.Request.Headers.Authorization != expected))
        {
            context.Response.StatusCode = 400;
            await context.Response.WriteAsync("""{"error":"invalid_grant"}""");
            return;
        }
        await context.Response.WriteAsync(JsonSerializer.Serialize(new { access_token = form["code"].ToString(), token_type = "Bearer", id_token = Sign(grant.Claims, grant.Key) }));
    }

    private static string Sign(Dictionary<string, object?> claims, RSA signer)
    {
        var text = UnpaddedBase64.EncodeUrl("""{"alg":"RS256","kid":"k1"}"""u8) + "." + UnpaddedBase64.EncodeUrl(JsonSerializer.SerializeToUtf8Bytes(claims));
        return text + "." + UnpaddedBase64.EncodeUrl(signer.SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    public async ValueTask DisposeAsync()
    {
        if (server is not null) await server.DisposeAsync();
        key.Dispose();
    }
}

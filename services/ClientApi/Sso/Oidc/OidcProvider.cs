using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso.Oidc;

/// <summary>A provider that speaks OpenID Connect, or OAuth 2.0 with a userinfo endpoint.</summary>
internal sealed class OidcProvider(OidcConfig settings, HomeserverConfig config, SsoSteps steps, ProviderHttp http, TimeProvider clock) : ISsoProvider
{
    private readonly OidcMetadata metadata = new(settings, http, clock);
    private readonly OidcMapper mapper = new(settings);
    private readonly ClientSecret secret = new(settings, clock);

    public OidcConfig Settings => settings;
    public string Id => settings.ProviderId;
    public ProviderLabel Label => settings.Label;
    public bool EnableRegistration => settings.EnableRegistration;
    public OidcTokens Tokens => new(settings, metadata, clock);

    private bool IsOpenId => settings.Scopes.Contains("openid");

    private string RedirectUri => settings.RedirectUri ?? $"{config.PublicBaseUrl}_synapse/client/oidc/callback";

    public async Task<string> BeginAsync(SsoTarget target, Browser browser, IQueryCollection parameters, CancellationToken ct)
    {
        var endpoints = await metadata.EndpointsAsync(ct);
        var usesPkce = settings.PkceMethod == "always" || (settings.PkceMethod == "auto" && endpoints.SupportsPkce);
        var step = new SsoStep(Id, target.Goal, target.Value, Browser.Tag(browser.FlowSecret()))
        {
            Nonce = PendingStepStore.NewSecret(),
            Verifier = usesPkce ? PendingStepStore.NewSecret() : null,
        };
        var state = await steps.CreateAsync(step, ct);
        var query = new List<KeyValuePair<string, string>>
        {
            new("response_type", "code"), new("client_id", settings.ClientId), new("redirect_uri", RedirectUri), new("scope", string.Join(' ', settings.Scopes)),
            new("state", state), new("nonce", step.Nonce),
        };
        if (step.Verifier is { } verifier)
        {
            query.Add(new("code_challenge", UnpaddedBase64.EncodeUrl(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)))));
            query.Add(new("code_challenge_method", "S256"));
        }
        // What protects the login cannot be overwritten from outside.
        foreach (var (name, value) in settings.AuthorizationParameters.Concat(Passed(parameters)))
            if (query.All(q => q.Key != name)) query.Add(new(name, value));
        var separator = endpoints.Authorization.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        return $"{endpoints.Authorization}{separator}{string.Join('&', query.Select(q => $"{Uri.EscapeDataString(q.Key)}={Uri.EscapeDataString(q.Value)}"))}";
    }

    /// <summary>Exchanges the code that a browser brought back, and reads who the user is.</summary>
    public async Task<SsoIdentity> ReadAsync(string code, string? issuer, SsoStep step, CancellationToken ct)
    {
        var endpoints = await metadata.EndpointsAsync(ct);
        // RFC 9207: an answer of another issuer is not for us.
        if (issuer is not null && issuer != endpoints.Issuer) throw new ProviderException($"the answer is from {issuer}");
        using var answer = await ExchangeAsync(endpoints, code, step, ct);
        var root = answer.RootElement;
        JsonElement? idToken = IsOpenId
            ? await Tokens.IdTokenAsync(ProviderJson.Text(root, "id_token") ?? throw new ProviderException("there is no id token"), step.Nonce, ct) : null;
        var claims = idToken is { } own && !settings.AlwaysUserInfo ? own : await UserInfoAsync(endpoints, root, idToken, ct);
        Requirements.Check(settings.Requirements, name => Values(claims, name));
        return mapper.Map(claims, idToken is { } token ? ProviderJson.Text(token, "sid") : null);
    }

    private IEnumerable<KeyValuePair<string, string>> Passed(IQueryCollection parameters) =>
        settings.PassthroughParameters.Where(parameters.ContainsKey).Select(name => new KeyValuePair<string, string>(name, parameters[name].ToString()));

    private async Task<JsonDocument> ExchangeAsync(OidcEndpoints endpoints, string code, SsoStep step, CancellationToken ct)
    {
        var form = new List<KeyValuePair<string, string>> { new("grant_type", "authorization_code"), new("code", code), new("redirect_uri", RedirectUri) };
        if (step.Verifier is { } verifier) form.Add(new("code_verifier", verifier));
        AuthenticationHeaderValue? authorization = null;
        switch (settings.ClientAuthMethod)
        {
            case "client_secret_basic":
                var pair = $"{Uri.EscapeDataString(settings.ClientId)}:{Uri.EscapeDataString(secret.Make(endpoints.Issuer))}";
                authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(pair)));
                break;
            case "client_secret_post":
                form.Add(new("client_id", settings.ClientId));
                form.Add(new("client_secret", secret.Make(endpoints.Issuer)));
                break;
            default:
                form.Add(new("client_id", settings.ClientId));
                break;
        }
        var answer = await http.PostAsync(endpoints.Token, form, authorization, ct);
        if (answer.Status == 200) return ProviderJson.Object(answer.Body);
        throw new ProviderException($"the token endpoint answers with status {answer.Status}");
    }

    private async Task<JsonElement> UserInfoAsync(OidcEndpoints endpoints, JsonElement answer, JsonElement? idToken, CancellationToken ct)
    {
        if (endpoints.UserInfo is null) throw new ProviderException("the provider names no userinfo_endpoint");
        var token = ProviderJson.Text(answer, "access_token") ?? throw new ProviderException("there is no access token");
        var info = await http.GetAsync(endpoints.UserInfo, ct, token);
        if (info.Status != 200) throw new ProviderException($"the userinfo endpoint answers with status {info.Status}");
        using var document = ProviderJson.Object(info.Body);
        // OpenID Connect Core 5.3.2: another user's info must not be used.
        if (idToken is { } known && ProviderJson.Text(known, "sub") != ProviderJson.Text(document.RootElement, "sub"))
            throw new ProviderException("the userinfo is about another user");
        return document.RootElement.Clone();
    }

    private static IReadOnlyList<string>? Values(JsonElement claims, string name)
    {
        if (!claims.TryGetProperty(name, out var value)) return null;
        return value.ValueKind switch
        {
            JsonValueKind.Array => [.. value.EnumerateArray().Select(Text)],
            JsonValueKind.Null => null,
            _ => [Text(value)],
        };
        static string Text(JsonElement e) => e.ValueKind == JsonValueKind.String ? e.GetString()! : e.GetRawText();
    }
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceTests.ClientApi;
using Matrix.ServiceTests.Hosting;
using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.OAuth;

/// <summary>What a client of the OAuth 2.0 API does.</summary>
internal sealed class OAuthApp(SsoFixture sso, string id)
{
    public const string Redirect = "https://app.example.com/callback";
    public const string Root = "/_synapse/client/oauth/";
    public string Id { get; } = id;
    public string Verifier { get; set; } = new('v', 50);
    /// <summary>The instance that the program's next request goes to.</summary>
    public ServiceHost Host { get; set; } = sso.First;

    public static object Metadata(string name = "My App", string[]? redirects = null, string type = "web", string[]? grants = null) => new
    {
        client_name = name, client_uri = "https://example.com/", redirect_uris = redirects ?? [Redirect], application_type = type, token_endpoint_auth_method = "none",
        response_types = new[] { "code" }, grant_types = grants ?? ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "unknown"],
    };

    public static async Task<OAuthApp> RegisterAsync(SsoFixture sso, object? metadata = null)
    {
        var answer = await sso.JsonAsync(HttpMethod.Post, Root + "register", null, metadata ?? Metadata());
        Assert.True(answer.Status == 201, answer.Body.ToString());
        return new(sso, answer.Text("client_id"));
    }

    public static string Scope(string device) => $"urn:matrix:client:api:* urn:matrix:client:device:{device}";

    public string Challenge => UnpaddedBase64.EncodeUrl(SHA256.HashData(Encoding.ASCII.GetBytes(Verifier)));

    public string Authorize(string device, params (string Name, string? Value)[] change)
    {
        var query = new Dictionary<string, string?>
        {
            ["client_id"] = Id, ["response_type"] = "code", ["response_mode"] = "fragment", ["redirect_uri"] = Redirect, ["scope"] = Scope(device), ["state"] = "st&te",
            ["code_challenge"] = Challenge, ["code_challenge_method"] = "S256",
        };
        foreach (var (name, value) in change) query[name] = value;
        return Root + "authorize?" + string.Join('&', query.Where(q => q.Value is not null).Select(q => $"{q.Key}={Uri.EscapeDataString(q.Value!)}"));
    }

    /// <summary>The browser's user logs in where asked, agrees, and is sent back: the parameters of the callback.</summary>
    public async Task<Dictionary<string, string>> ApproveAsync(TestBrowser browser, string device, TestUser? logIn = null, params (string Name, string? Value)[] change)
    {
        var page = await FollowAsync(browser, (await browser.GetAsync(Authorize(device, change))).Require(303));
        if (logIn is not null) page = await FollowAsync(browser, (await browser.SubmitAsync(page, "/_synapse/client/login", ("username", logIn.Id), ("password", logIn.Password))).Require(303));
        Assert.Contains("into your account?", page.Body);
        var back = (await browser.SubmitAsync(page, Root + "consent", ("decision", "allow"))).Require(303);
        return Parameters(back.Location!);
    }

    public static async Task<Visit> FollowAsync(TestBrowser browser, Visit visit)
    {
        while (visit is { Status: 302 or 303, Location: { } next } && (next.StartsWith(SsoFixture.PublicBase, StringComparison.Ordinal) || next.StartsWith('/'))) visit = await browser.GetAsync(next);
        return visit;
    }

    public static Dictionary<string, string> Parameters(string location)
    {
        Assert.StartsWith(Redirect, location);
        return FakeOidcProvider.QueryOf(location.Replace('#', '?'));
    }

    public async Task<Answer> PostAsync(string path, params (string Name, string? Value)[] fields)
    {
        using var content = new FormUrlEncodedContent(fields.Where(f => f.Value is not null).Select(f => KeyValuePair.Create(f.Name, f.Value!)));
        using var response = await Host.Http.PostAsync(Root + path, content);
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        return new((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement.Clone());
    }

    public Task<Answer> ExchangeAsync(string code, string? redirect = Redirect, string? verifier = null, string? client = null) => PostAsync("token",
        ("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect), ("client_id", client ?? Id), ("code_verifier", verifier ?? Verifier));

    public Task<Answer> RefreshAsync(string token, string? client = null) =>
        PostAsync("token", ("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client ?? Id));

    /// <summary>From the database: the second instance has cached nothing.</summary>
    /// <summary>Asks until the news of an ended session has come to that instance.</summary>
    public async Task<Answer> WhoAmIUntilEndedAsync(string token)
    {
        for (var asked = 0; ; asked++)
        {
            if (await WhoAmIAsync(token) is var answer && (answer.Status != 200 || asked == 1_000)) return answer;
        }
    }

    public Task<Answer> WhoAmIAsync(string token) => sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/account/whoami", token, host: sso.Second);
}

internal static class OAuthAnswers
{
    public static Answer RequireError(this Answer answer, string error, int status = 400)
    {
        Assert.True(answer.Status == status && answer.Has("error") && answer.Text("error") == error, $"expected {status} {error}, got {answer.Status} {answer.Body}");
        return answer;
    }
}

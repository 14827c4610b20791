using System.Text.RegularExpressions;
using Matrix.ServiceTests.ClientApi;
using Matrix.ServiceTests.OAuth;
using Matrix.ServiceTests.Sso;
using Matrix.Storage.Accounts;

namespace Matrix.ServiceTests.Secrets;

/// <summary>Tokens, codes, secrets and passwords of a whole conversation never come into a log or a trace, whatever the level.</summary>
public sealed class SecretTests(SecretFixture server) : IClassFixture<SecretFixture>
{
    private const string V3 = "/_matrix/client/v3";
    private readonly List<(string What, string Secret)> secrets = [];

    private string Secret(string what, string secret)
    {
        Assert.True(secret.Length >= 8, what);
        secrets.Add((what, secret));
        return secret;
    }

    private string New(string what) => Secret(what, $"{what.Replace(' ', '-')}-{Guid.NewGuid():N}");

    private Task<Answer> PostAsync(string path, string? token, object? body = null) => server.JsonAsync(HttpMethod.Post, path, token, body);

    private Answer Tokens(string what, Answer answer)
    {
        Secret($"access token of {what}", answer.RequireOk().Text("access_token"));
        if (answer.Has("refresh_token")) Secret($"refresh token of {what}", answer.Text("refresh_token"));
        return answer;
    }

    [Fact]
    public async Task No_secret_of_a_whole_conversation_is_in_logs_or_traces()
    {
        var user = await RegisterAsync();
        user = await LogInAsync(user);
        await SingleSignOnAsync();
        await OAuthAsync(user);
        await MessagesAsync(user);
        await ProveAddressAsync(user);
        await ChangePasswordAsync(user);

        var lines = server.Recorded.All;
        // That it listens at all: request spans, statements, and the platform's finest messages are there.
        Assert.Contains(lines, l => l.StartsWith("span Microsoft.AspNetCore", StringComparison.Ordinal) && l.Contains("url.path=/_matrix/client/v3/login", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("span Npgsql", StringComparison.Ordinal) && l.Contains("access_tokens", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("log Microsoft.AspNetCore.Server.Kestrel", StringComparison.Ordinal));
        Assert.True(secrets.Count >= 25, $"only {secrets.Count} secrets were used");
        var told = from secret in secrets
                   from form in (string[])[secret.Secret, Uri.EscapeDataString(secret.Secret)]
                   from line in lines
                   where line.Contains(form, StringComparison.Ordinal)
                   select $"{secret.What}: {line}";
        Assert.True(!told.Any(), string.Join(Environment.NewLine, told.Distinct().Take(20)));
    }

    private async Task<TestUser> RegisterAsync()
    {
        var admission = $"admission{Guid.NewGuid():N}";
        await new RegistrationTokenStore(server.Postgres.Database).CreateAsync(admission, null, null, CancellationToken.None);
        Secret("registration token", admission);
        var (name, password) = (server.NewName(), New("password"));
        (await PostAsync($"{V3}/register", null, new { username = name, password })).Require401(out var session);
        var done = Tokens("registration", await PostAsync($"{V3}/register", null, new { username = name, password, refresh_token = true, auth = new { type = "m.login.registration_token", token = admission, session } }));
        Secret("session of the registration", session);
        Tokens("refreshing", await PostAsync($"{V3}/refresh", null, new { refresh_token = done.Text("refresh_token") }));
        (await PostAsync($"{V3}/refresh", null, new { refresh_token = New("wrong refresh token") })).Require(401, "M_UNKNOWN_TOKEN");
        return new(done.Text("user_id"), "", "", password);
    }

    private async Task<TestUser> LogInAsync(TestUser user)
    {
        object By(string password) => new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password };
        (await PostAsync($"{V3}/login", null, By(New("wrong password")))).Require(403, "M_FORBIDDEN");
        (await PostAsync($"{V3}/login", null, "{not json " + New("broken body"))).Require(400, "M_BAD_JSON");
        var login = Tokens("password", await PostAsync($"{V3}/login", null, By(user.Password)));
        var token = login.Text("access_token");
        (await server.JsonAsync(HttpMethod.Get, $"{V3}/account/whoami?access_token={token}", null)).RequireOk();
        (await server.JsonAsync(HttpMethod.Get, $"{V3}/account/whoami?access_token={New("wrong access token")}", null)).Require(401, "M_UNKNOWN_TOKEN");
        (await server.JsonAsync(HttpMethod.Get, $"{V3}/nothing?access_token={token}", null)).Require(404, "M_UNRECOGNIZED");
        (await server.JsonAsync(HttpMethod.Delete, $"{V3}/login?loginToken={New("login token of nobody")}", null)).Require(405, "M_UNRECOGNIZED");
        var byToken = Secret("login token of a session", (await PostAsync("/_matrix/client/v1/login/get_token", token, new { })).RequireOk().Text("login_token"));
        Tokens("login token", await PostAsync($"{V3}/login", null, new { type = "m.login.token", token = byToken }));
        Secret("openid token", (await PostAsync($"{V3}/user/{user.Id}/openid/request_token", token, new { })).RequireOk().Text("access_token"));
        return user with { Token = token, DeviceId = login.Text("device_id") };
    }

    private async Task SingleSignOnAsync()
    {
        var browser = server.NewBrowser();
        var gone = (await browser.GetAsync($"{V3}/login/cas/redirect?redirectUrl=" + Uri.EscapeDataString(SsoFixture.Trusted))).Require(302);
        var ticket = Secret("ticket of CAS", server.NewTicketOf(server.NewName()));
        var back = (await browser.GetAsync($"{FakeOidcProvider.QueryOf(gone.Location!)["service"]}&ticket={ticket}")).Require(302);
        Secret("login token of CAS", SsoFixture.TokenIn(back.Location!));
        Tokens("CAS", await server.LogInAsync(back.Location!));
        foreach (var (name, value) in browser.Cookies) Secret("cookie " + name, value);
    }

    private async Task OAuthAsync(TestUser user)
    {
        var app = await OAuthApp.RegisterAsync(server);
        app.Verifier = New("code verifier");
        var browser = server.NewBrowser();
        var code = Secret("code", (await app.ApproveAsync(browser, "OAUTHDEVICE", user))["code"]);
        foreach (var (name, value) in browser.Cookies) Secret("cookie " + name, value);
        var tokens = Tokens("OAuth", await app.ExchangeAsync(code));
        tokens = Tokens("OAuth refreshing", await app.RefreshAsync(tokens.Text("refresh_token")));
        (await app.ExchangeAsync(code)).RequireError("invalid_grant");
        Assert.Equal(200, (await app.PostAsync("revoke", ("token", tokens.Text("refresh_token")), ("client_id", app.Id))).Status);
    }

    private async Task MessagesAsync(TestUser user)
    {
        var key = New("session key");
        var messages = new { messages = new Dictionary<string, object> { [user.Id] = new Dictionary<string, object> { ["*"] = new { session_key = key } } } };
        (await server.JsonAsync(HttpMethod.Put, $"{V3}/sendToDevice/m.room_key/{Guid.NewGuid():N}", user.Token, messages)).RequireOk();
        (await server.JsonAsync(HttpMethod.Put, $"{V3}/user/{user.Id}/account_data/m.secret_storage.key.x", user.Token, new { iv = New("stored secret") })).RequireOk();
    }

    private async Task ProveAddressAsync(TestUser user)
    {
        var secret = New("client secret").Replace('-', '_');
        Secret("client secret", secret);
        var request = new { client_secret = secret, email = "somebody@test.example", send_attempt = 1 };
        var sid = Secret("sid", (await PostAsync($"{V3}/account/3pid/email/requestToken", null, request)).RequireOk().Text("sid"));
        var link = (await server.Mail.NextAsync()).Link;
        Secret("token of a mail", Regex.Match(link.Query, "token=([^&]+)").Groups[1].Value);
        (await server.NewBrowser().GetAsync(link.PathAndQuery)).Require(200);
        var auth = new { type = "m.login.password", user = user.Id, password = user.Password };
        (await PostAsync($"{V3}/account/3pid/add", user.Token, new { sid, client_secret = secret, auth })).RequireOk();
    }

    private async Task ChangePasswordAsync(TestUser user)
    {
        var auth = new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password };
        (await PostAsync($"{V3}/account/password", user.Token, new { new_password = New("new password"), auth })).RequireOk();
        (await PostAsync($"{V3}/logout/all", user.Token)).RequireOk();
    }
}

internal static class ChallengeAnswers
{
    public static void Require401(this Answer answer, out string session)
    {
        Assert.Equal(401, answer.Status);
        session = answer.Text("session");
    }
}

using Matrix.ServiceTests.ClientApi;
using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.OAuth;

public sealed class AuthorizationTests(SsoFixture sso) : IClassFixture<SsoFixture>
{
    [Fact]
    public async Task A_new_user_signs_up_agrees_and_has_a_session_each_step_on_another_instance()
    {
        var metadata = (await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v1/auth_metadata", null)).RequireOk();
        Assert.Equal(SsoFixture.PublicBase + "_synapse/client/oauth/authorize", metadata.Text("authorization_endpoint"));
        Assert.Equal("create", metadata.Body.GetProperty("prompt_values_supported")[0].GetString());
        (await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata", null)).RequireOk();
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync(app.Authorize("NEWDEVICE", ("prompt", "create")))).Require(303);
        browser.Host = sso.Second;
        var page = await OAuthApp.FollowAsync(browser, gone);
        Assert.Contains("Create an account", page.Body);
        var name = sso.NewName("element");
        browser.Host = sso.First;
        var refused = (await browser.SubmitAsync(page, "/_synapse/client/signup", ("username", name), ("password", "one"), ("password_again", "two"))).Require(400);
        browser.Host = sso.Second;
        var made = (await browser.SubmitAsync(refused, "/_synapse/client/signup", ("username", name), ("password", "one"), ("password_again", "one"))).Require(303);
        browser.Host = sso.First;
        var consent = await OAuthApp.FollowAsync(browser, made);
        Assert.Contains($"@{name}:test.example", consent.Body);
        browser.Host = sso.Second;
        var back = OAuthApp.Parameters((await browser.SubmitAsync(consent, OAuthApp.Root + "consent", ("decision", "allow"))).Require(303).Location!);
        Assert.Equal("st&te", back["state"]);
        var tokens = (await app.ExchangeAsync(back["code"])).RequireOk();
        Assert.Equal("Bearer", tokens.Text("token_type"));
        Assert.Equal(300, tokens.Body.GetProperty("expires_in").GetInt32());
        Assert.Equal(OAuthApp.Scope("NEWDEVICE"), tokens.Text("scope"));
        var who = (await app.WhoAmIAsync(tokens.Text("access_token"))).RequireOk();
        Assert.Equal($"@{name}:test.example", who.Text("user_id"));
        Assert.Equal("NEWDEVICE", who.Text("device_id"));
        sso.Clock.Advance(TimeSpan.FromMinutes(6));
        Assert.True((await app.WhoAmIAsync(tokens.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN").Body.GetProperty("soft_logout").GetBoolean());
        app.Host = sso.Second;
        var next = (await app.RefreshAsync(tokens.Text("refresh_token"))).RequireOk();
        (await app.WhoAmIAsync(next.Text("access_token"))).RequireOk();
        (await app.PostAsync("revoke", ("token", next.Text("refresh_token")))).RequireOk();
        (await app.WhoAmIUntilEndedAsync(next.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await app.RefreshAsync(next.Text("refresh_token"))).RequireError("invalid_grant");
        (await app.PostAsync("revoke", ("token", next.Text("refresh_token")))).RequireOk();
    }

    [Fact]
    public async Task A_user_logs_in_with_his_password_once_for_several_clients()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        var page = await OAuthApp.FollowAsync(browser, await browser.GetAsync(app.Authorize("A")));
        var wrong = (await browser.SubmitAsync(page, "/_synapse/client/login", ("username", user.Id), ("password", "wrong"))).Require(403);
        Assert.Contains("role=\"alert\"", wrong.Body);
        var first = await app.ApproveAsync(browser, "A", user);
        var second = await app.ApproveAsync(browser, "B", null, ("scope", "openid urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:org.matrix.msc2967.client:device:B"));
        foreach (var (back, device) in new[] { (first, "A"), (second, "B") })
            Assert.Equal(device, (await app.WhoAmIAsync((await app.ExchangeAsync(back["code"])).RequireOk().Text("access_token"))).Text("device_id"));
    }

    [Fact]
    public async Task A_user_of_a_provider_comes_in_the_same_way()
    {
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        var login = await OAuthApp.FollowAsync(browser, await browser.GetAsync(app.Authorize("C")));
        var next = login.HiddenFields.First(h => h.Name == "next").Value;
        var gone = (await browser.GetAsync($"/_synapse/client/login/sso?idp=oidc-main&next={Uri.EscapeDataString(next)}")).Require(302);
        browser.Host = sso.Second;
        var name = sso.NewName();
        var consent = await OAuthApp.FollowAsync(browser, await browser.GetAsync(sso.Oidc.Approve(gone.Location!, new { sub = name, preferred_username = name })));
        Assert.Contains($"@{name}:test.example", consent.Body);
    }

    [Fact]
    public async Task A_user_who_does_not_agree_sends_the_client_away()
    {
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        var user = await sso.RegisterAsync();
        await app.ApproveAsync(browser, "D", user);
        var page = await OAuthApp.FollowAsync(browser, await browser.GetAsync(app.Authorize("D")));
        var back = OAuthApp.Parameters((await browser.SubmitAsync(page, OAuthApp.Root + "consent", ("decision", "deny"))).Require(303).Location!);
        Assert.Equal("access_denied", back["error"]);
        Assert.Equal("st&te", back["state"]);
        (await browser.SubmitAsync(page, OAuthApp.Root + "consent", ("decision", "allow"))).Require(400);
    }

    [Theory]
    [InlineData("code_challenge_method", "plain", "invalid_request")]
    [InlineData("code_challenge_method", null, "invalid_request")]
    [InlineData("code_challenge", null, "invalid_request")]
    [InlineData("code_challenge", "short", "invalid_request")]
    [InlineData("response_type", "token", "unsupported_response_type")]
    [InlineData("response_type", null, "unsupported_response_type")]
    [InlineData("response_mode", "form_post", "invalid_request")]
    [InlineData("scope", null, "invalid_scope")]
    [InlineData("scope", "urn:matrix:client:api:*", "invalid_scope")]
    [InlineData("scope", "urn:matrix:client:device:A", "invalid_scope")]
    [InlineData("scope", "urn:matrix:client:api:* urn:matrix:client:device:A urn:matrix:client:device:B", "invalid_scope")]
    [InlineData("scope", "urn:matrix:client:api:* urn:matrix:client:device:", "invalid_scope")]
    [InlineData("prompt", "none", "interaction_required")]
    public async Task Wrong_requests_are_told_to_the_client(string parameter, string? value, string error)
    {
        var app = await OAuthApp.RegisterAsync(sso);
        var back = (await sso.NewBrowser().GetAsync(app.Authorize("E", (parameter, value)))).Require(303);
        Assert.Equal(error, OAuthApp.Parameters(back.Location!)["error"]);
    }

    [Theory]
    [InlineData("redirect_uri", "https://evil.example/callback")]
    [InlineData("redirect_uri", "https://app.example.com/callback/")]
    [InlineData("redirect_uri", "https://app.example.com/callback?x")]
    [InlineData("redirect_uri", "https://app.example.com@evil.example/callback")]
    [InlineData("redirect_uri", "javascript:alert(1)")]
    [InlineData("redirect_uri", null)]
    [InlineData("client_id", "unknown")]
    [InlineData("client_id", null)]
    public async Task Nobody_is_sent_to_an_address_that_was_not_registered(string parameter, string? value)
    {
        var app = await OAuthApp.RegisterAsync(sso);
        var page = (await sso.NewBrowser().GetAsync(app.Authorize("F", (parameter, value)))).Require(400);
        Assert.Null(page.Location);
        var twice = (await sso.NewBrowser().GetAsync(app.Authorize("F") + "&redirect_uri=https%3A%2F%2Fevil.example")).Require(400);
        Assert.Null(twice.Location);
    }

    [Fact]
    public async Task Loopback_clients_choose_their_port()
    {
        var app = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata(redirects: ["http://127.0.0.1/cb", "com.example.app:/cb"], type: "native"));
        (await sso.NewBrowser().GetAsync(app.Authorize("G", ("redirect_uri", "http://127.0.0.1:49152/cb")))).Require(303);
        (await sso.NewBrowser().GetAsync(app.Authorize("G", ("redirect_uri", "com.example.app:/cb")))).Require(303);
        (await sso.NewBrowser().GetAsync(app.Authorize("G", ("redirect_uri", "http://127.0.0.1:49152/other")))).Require(400);
        (await sso.NewBrowser().GetAsync(app.Authorize("G", ("redirect_uri", "http://127.0.0.1@evil.example/cb")))).Require(400);
    }

    [Fact]
    public async Task Forms_from_elsewhere_are_refused()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        await app.ApproveAsync(browser, "H", user);
        var page = await OAuthApp.FollowAsync(browser, await browser.GetAsync(app.Authorize("H")));
        browser.Origin = "https://evil.example";
        (await browser.SubmitAsync(page, OAuthApp.Root + "consent", ("decision", "allow"))).Require(403);
        browser.Origin = "null";
        (await browser.SubmitAsync(page, OAuthApp.Root + "consent", ("decision", "allow"))).Require(403);
        browser.Origin = null;
        (await browser.SubmitAsync(page, OAuthApp.Root + "consent", ("decision", "allow"), ("csrf", "guessed"))).Require(403);
        foreach (var form in (string[])["/_synapse/client/login", "/_synapse/client/signup", "/_synapse/client/logout", "/_synapse/client/account/end_session", "/_synapse/client/account/deactivate", "/_synapse/client/device"])
            (await browser.PostAsync(form, ("username", user.Id), ("password", user.Password), ("device_id", user.DeviceId))).Require(403);
        (await browser.SubmitAsync(page, OAuthApp.Root + "consent", ("decision", "allow"))).Require(303);
    }

    [Fact]
    public async Task Consent_is_given_by_the_user_whom_the_page_named()
    {
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        await app.ApproveAsync(browser, "I", await sso.RegisterAsync());
        var page = await OAuthApp.FollowAsync(browser, await browser.GetAsync(app.Authorize("I")));
        (await browser.SubmitAsync(page, OAuthApp.Root + "consent", ("decision", "allow"), ("user_id", "@other:test.example"))).Require(400);
    }

    [Theory]
    [InlineData("https://evil.example/")]
    [InlineData("//evil.example/")]
    [InlineData("/\\evil.example/")]
    [InlineData("/_synapse/client/../../evil")]
    [InlineData("/_synapse/client//evil.example")]
    [InlineData("javascript:alert(1)")]
    public async Task The_login_page_sends_nobody_elsewhere(string next)
    {
        var user = await sso.RegisterAsync();
        var browser = sso.NewBrowser();
        var page = (await browser.GetAsync("/_synapse/client/login?next=" + Uri.EscapeDataString(next))).Require(200);
        Assert.DoesNotContain("evil", page.Body);
        var done = (await browser.SubmitAsync(page, "/_synapse/client/login", ("username", user.Id), ("password", user.Password), ("next", next))).Require(303);
        Assert.Equal("/_synapse/client/account", done.Location);
    }

    [Fact]
    public async Task What_clients_and_browsers_say_is_text_on_our_pages()
    {
        const string evil = "<script>alert(1)</script>\"'><img src=x>";
        var app = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata(evil));
        var browser = sso.NewBrowser();
        var user = await sso.RegisterAsync();
        await app.ApproveAsync(browser, "J", user);
        var pages = new List<Visit>
        {
            await OAuthApp.FollowAsync(browser, await browser.GetAsync(app.Authorize("J\"><script>".Replace("\"", "", StringComparison.Ordinal)))),
            await browser.GetAsync("/_synapse/client/login?hint=" + Uri.EscapeDataString(evil) + "&next=" + Uri.EscapeDataString(evil)),
            await browser.GetAsync("/_synapse/client/device?user_code=" + Uri.EscapeDataString(evil)),
            await browser.GetAsync("/_synapse/client/account?action=" + Uri.EscapeDataString(evil) + "&device_id=" + Uri.EscapeDataString(evil)),
        };
        foreach (var page in pages)
        {
            page.Require(200);
            Assert.DoesNotContain("<script", page.Body);
            Assert.DoesNotContain("<img", page.Body);
            Assert.Contains("script-src 'none'", page.Header("Content-Security-Policy"));
            Assert.Contains("frame-ancestors 'none'", page.Header("Content-Security-Policy"));
            Assert.Equal("DENY", page.Header("X-Frame-Options"));
            Assert.Equal("no-store", page.Header("Cache-Control"));
        }
    }

    [Fact]
    public async Task Cookies_are_for_browsers_alone_and_secrets_are_not_in_the_database()
    {
        var user = await sso.RegisterAsync();
        var browser = sso.NewBrowser();
        var page = await browser.GetAsync("/_synapse/client/login");
        var done = (await browser.SubmitAsync(page, "/_synapse/client/login", ("username", user.Id), ("password", user.Password))).Require(303);
        var cookie = Assert.Single(done.SetCookies, c => c.StartsWith("armada_session=", StringComparison.Ordinal));
        foreach (var wanted in (string[])["httponly", "secure", "samesite=lax", "path=/_synapse/client"]) Assert.Contains(wanted, cookie, StringComparison.OrdinalIgnoreCase);
        foreach (var table in (string[])["web_sessions", "pending_steps", "oauth_refresh_tokens", "oauth_device_codes"])
        {
            var count = await sso.Postgres.Source.CreateCommand($"select count(*) from {table} t where t::text like '%{browser.Cookies["armada_session"]}%'").ExecuteScalarAsync();
            Assert.Equal(0L, count);
        }
    }

    [Fact]
    public async Task Another_password_ends_the_sessions_of_browsers()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        await app.ApproveAsync(browser, "K", user);
        Assert.Contains("Your account", (await browser.GetAsync("/_synapse/client/account")).Require(200).Body);
        (await sso.JsonAsync(HttpMethod.Post, "/_matrix/client/v3/account/password", user.Token, new
        {
            new_password = "another", auth = new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password },
        })).RequireOk();
        (await browser.GetAsync("/_synapse/client/account")).Require(303);
    }
}

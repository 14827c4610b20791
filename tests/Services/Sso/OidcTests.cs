using System.Security.Cryptography;
using Matrix.ServiceTests.ClientApi;

namespace Matrix.ServiceTests.Sso;

public sealed class OidcTests(SsoFixture sso) : IClassFixture<SsoFixture>
{
    private const string Client = SsoFixture.Trusted + "app?x=1#frag";
    private static string Redirect(string idp, string client = Client) => $"/_matrix/client/v3/login/sso/redirect/oidc-{idp}?redirectUrl={Uri.EscapeDataString(client)}";

    private object Claims(string name, string? sub = null) => new { sub = sub ?? "sub of " + name, preferred_username = name, name = "Name of " + name, email = name + "@mail.example" };

    private async Task<Visit> ComeBackAsync(TestBrowser browser, string idp, object claims, Action<Dictionary<string, object?>>? change = null, RSA? signer = null, object? userInfo = null)
    {
        var gone = (await browser.GetAsync(Redirect(idp))).Require(302);
        return await browser.GetAsync(sso.Oidc.Approve(gone.Location!, claims, change, signer, userInfo));
    }

    [Fact]
    public async Task A_new_user_comes_in_and_is_the_same_the_next_time_on_whichever_instance()
    {
        var name = sso.NewName("Capital.");
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync(Redirect("main") + "&login_hint=me&state=forged")).Require(302);
        var query = FakeOidcProvider.QueryOf(gone.Location!);
        Assert.Equal("me", query["login_hint"]);
        Assert.NotEqual("forged", query["state"]);
        Assert.Equal("S256", query["code_challenge_method"]);
        browser.Host = sso.Second;
        var back = (await browser.GetAsync(sso.Oidc.Approve(gone.Location!, Claims(name)))).Require(302);
        Assert.StartsWith(SsoFixture.Trusted + "app?x=1&loginToken=", back.Location);
        Assert.EndsWith("#frag", back.Location);
        var login = (await sso.LogInAsync(back.Location!)).RequireOk();
        Assert.Equal($"@{name.ToLowerInvariant()}:test.example", login.Text("user_id"));
        (await sso.LogInAsync(back.Location!)).Require(403, "M_FORBIDDEN");
        Assert.Equal("Name of " + name, (await sso.Postgres.Source.CreateCommand($"select displayname from profiles where user_id = '{login.Text("user_id")}'").ExecuteScalarAsync()));
        Assert.Equal(1L, await sso.Postgres.Source.CreateCommand($"select count(*) from user_threepids where user_id = '{login.Text("user_id")}'").ExecuteScalarAsync());

        var again = (await ComeBackAsync(sso.NewBrowser(), "main", Claims("renamed at the provider", "sub of " + name))).Require(302);
        Assert.Equal(login.Text("user_id"), (await sso.LogInAsync(again.Location!)).RequireOk().Text("user_id"));
    }

    [Fact]
    public async Task A_name_that_is_taken_gets_a_number()
    {
        var taken = await sso.RegisterAsync();
        var name = taken.Id[1..taken.Id.IndexOf(':')];
        var back = (await ComeBackAsync(sso.NewBrowser(), "main", Claims(name))).Require(302);
        Assert.Equal($"@{name}1:test.example", (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
    }

    [Fact]
    public async Task An_existing_account_is_linked_only_where_the_settings_say_so()
    {
        var user = await sso.RegisterAsync();
        var name = user.Id[1..user.Id.IndexOf(':')];
        var claims = new { sub = "linked " + name, preferred_username = name, groups = new[] { "staff" } };
        var back = (await ComeBackAsync(sso.NewBrowser(), "existing", claims)).Require(302);
        Assert.Equal(user.Id, (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
        var refused = await ComeBackAsync(sso.NewBrowser(), "existing", new { sub = "outsider", preferred_username = name, groups = new[] { "guests" } });
        refused.Require(403);
        (await ComeBackAsync(sso.NewBrowser(), "closed", Claims(sso.NewName()))).Require(403);
    }

    [Fact]
    public async Task The_userinfo_endpoint_is_asked_and_must_speak_of_the_same_user()
    {
        var name = sso.NewName();
        var back = (await ComeBackAsync(sso.NewBrowser(), "info", new { sub = name }, userInfo: new { sub = name, preferred_username = name })).Require(302);
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
        (await ComeBackAsync(sso.NewBrowser(), "info", new { sub = name }, userInfo: new { sub = "another", preferred_username = name })).Require(401);
    }

    [Theory]
    [InlineData("nonce", "another nonce")]
    [InlineData("iss", "https://elsewhere.example")]
    [InlineData("aud", "another client")]
    [InlineData("azp", "another client")]
    [InlineData("exp", 1000)]
    [InlineData("exp", null)]
    [InlineData("nonce", null)]
    [InlineData("sub", null)]
    public async Task An_id_token_that_is_not_for_this_login_is_refused(string claim, object? value)
    {
        var back = await ComeBackAsync(sso.NewBrowser(), "main", Claims(sso.NewName()), c => { if (value is null) c.Remove(claim); else c[claim] = value; });
        back.Require(401);
        Assert.DoesNotContain("loginToken", back.Body);
    }

    [Fact]
    public async Task An_id_token_of_another_key_is_refused()
    {
        using var other = RSA.Create(2048);
        (await ComeBackAsync(sso.NewBrowser(), "main", Claims(sso.NewName()), signer: other)).Require(401);
    }

    [Fact]
    public async Task A_forged_state_another_browser_and_a_second_use_are_refused()
    {
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync(Redirect("main"))).Require(302);
        var back = sso.Oidc.Approve(gone.Location!, Claims(sso.NewName()));
        var exchanges = sso.Oidc.Exchanges;
        (await browser.GetAsync(back.Replace("state=", "state=x", StringComparison.Ordinal))).Require(400);
        (await browser.GetAsync(back[..back.IndexOf("&state", StringComparison.Ordinal)])).Require(400);
        // A victim whose browser is made to open the attacker's answer.
        (await sso.NewBrowser().GetAsync(back)).Require(400);
        var victim = sso.NewBrowser();
        await victim.GetAsync(Redirect("main"));
        (await victim.GetAsync(back)).Require(400);
        Assert.Equal(exchanges, sso.Oidc.Exchanges);
        (await browser.GetAsync(back)).Require(302);
        (await browser.GetAsync(back)).Require(400);
    }

    /// <summary>Who has got hold of a code brings it into a login of his own.</summary>
    [Theory]
    [InlineData("main")]
    [InlineData("bare")]
    public async Task A_code_of_another_login_is_worth_nothing(string provider)
    {
        var gone = (await sso.NewBrowser().GetAsync(Redirect(provider))).Require(302);
        var stolen = FakeOidcProvider.QueryOf(sso.Oidc.Approve(gone.Location!, Claims(sso.NewName("victim"))))["code"];
        var browser = sso.NewBrowser();
        var state = FakeOidcProvider.QueryOf((await browser.GetAsync(Redirect(provider))).Require(302).Location!)["state"];
        var exchanges = sso.Oidc.Exchanges;
        (await browser.GetAsync($"/_synapse/client/oidc/callback?code={stolen}&state={state}")).Require(401);
        Assert.Equal(exchanges + 1, sso.Oidc.Exchanges);
    }

    [Fact]
    public async Task A_login_that_takes_too_long_has_expired()
    {
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync(Redirect("main"))).Require(302);
        var back = sso.Oidc.Approve(gone.Location!, Claims(sso.NewName()));
        sso.Clock.Advance(TimeSpan.FromMinutes(61));
        (await browser.GetAsync(back)).Require(400);
    }

    [Fact]
    public async Task Plain_addresses_of_providers_need_the_administrators_word() => (await sso.NewBrowser().GetAsync(Redirect("strict"))).Require(502);

    [Fact]
    public async Task A_provider_that_says_no_is_a_page()
    {
        var browser = sso.NewBrowser();
        var state = FakeOidcProvider.QueryOf((await browser.GetAsync(Redirect("main"))).Location!)["state"];
        var page = (await browser.GetAsync($"/_synapse/client/oidc/callback?state={state}&error=access_denied&error_description=%3Cscript%3E")).Require(403);
        Assert.DoesNotContain("<script>", page.Body);
    }

    [Fact]
    public async Task A_user_without_a_given_name_chooses_one_on_any_instance()
    {
        var taken = await sso.RegisterAsync();
        var name = sso.NewName("chosen");
        var browser = sso.NewBrowser();
        var back = (await ComeBackAsync(browser, "chooser", new { sub = name, name = "<b>Bold</b>", email = "c@mail.example" })).Require(302);
        Assert.Equal(SsoFixture.PublicBase + "_synapse/client/pick_username/account_details", back.Location);
        browser.Host = sso.Second;
        var page = (await browser.GetAsync(back.Location!)).Require(200);
        Assert.Contains("&lt;b&gt;Bold&lt;/b&gt;", page.Body);
        Assert.DoesNotContain("<b>Bold</b>", page.Body);
        Assert.Contains("frame-ancestors 'none'", page.Header("Content-Security-Policy"));
        Assert.Equal("DENY", page.Header("X-Frame-Options"));
        Assert.Contains("\"available\":false", (await browser.GetAsync("/_synapse/client/pick_username/check?username=" + taken.Id[1..taken.Id.IndexOf(':')])).Body);
        Assert.Contains("\"available\":true", (await browser.GetAsync("/_synapse/client/pick_username/check?username=" + name)).Body);
        var again = (await browser.SubmitAsync(page, back.Location!, ("username", "no spaces please"))).Require(400);
        Assert.Contains("role=\"alert\"", again.Body);
        browser.Host = sso.First;
        var done = (await browser.SubmitAsync(again, back.Location!, ("username", name), ("use_display_name", "true"))).Require(302);
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(done.Location!)).RequireOk().Text("user_id"));
        Assert.Equal(0L, await sso.Postgres.Source.CreateCommand($"select count(*) from user_threepids where user_id = '@{name}:test.example'").ExecuteScalarAsync());
        (await browser.GetAsync(back.Location!)).Require(400);
    }

    [Fact]
    public async Task A_form_from_elsewhere_chooses_nothing()
    {
        var browser = sso.NewBrowser();
        var back = (await ComeBackAsync(browser, "chooser", new { sub = sso.NewName() })).Require(302);
        var page = await browser.GetAsync(back.Location!);
        browser.Origin = "https://evil.example";
        (await browser.SubmitAsync(page, back.Location!, ("username", sso.NewName()))).Require(403);
        browser.Origin = null;
        (await browser.PostAsync(back.Location!, ("username", sso.NewName()))).Require(403);
        (await browser.PostAsync(back.Location!, ("username", sso.NewName()), ("csrf", "guess"))).Require(403);
        browser.Origin = SsoFixture.PublicBase.TrimEnd('/');
        (await browser.PostAsync(back.Location!, ("username", sso.NewName()), ("csrf", "guess"))).Require(403);
        (await browser.SubmitAsync(page, back.Location!, ("username", sso.NewName()))).Require(302);
    }

    [Fact]
    public async Task A_client_that_is_not_trusted_is_shown_to_the_user_first()
    {
        var name = sso.NewName();
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync(Redirect("main", "https://app.example/?a=%22%3E&loginToken=old"))).Require(302);
        var page = (await browser.GetAsync(sso.Oidc.Approve(gone.Location!, Claims(name)))).Require(200);
        Assert.Contains("https://app.example/", page.Body);
        Assert.StartsWith("https://app.example/?a=%22%3E&loginToken=", page.Button);
        Assert.DoesNotContain("loginToken=old", page.Body);
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(page.Button)).RequireOk().Text("user_id"));
        // "https://trusted.test.example.evil/" begins with the host alone: the entry ends with a slash.
        gone = (await browser.GetAsync(Redirect("main", "https://trusted.test.example.evil/"))).Require(302);
        (await browser.GetAsync(sso.Oidc.Approve(gone.Location!, Claims(name)))).Require(200);
    }

    [Theory]
    [InlineData("javascript:alert(1)")]
    [InlineData("JavaScript:alert(1)")]
    [InlineData("java\tscript:alert(1)")]
    [InlineData("data:text/html,x")]
    [InlineData("//evil.example/")]
    [InlineData("/relative")]
    [InlineData("https://a.example/\r\nSet-Cookie: x")]
    [InlineData("")]
    public async Task No_browser_is_sent_to_what_is_no_client(string address)
    {
        foreach (var path in (string[])[Redirect("main", address), "/_synapse/client/pick_idp?redirectUrl=" + Uri.EscapeDataString(address),
            "/_matrix/client/r0/login/cas/redirect?redirectUrl=" + Uri.EscapeDataString(address),
            $"/_matrix/client/r0/login/cas/ticket?ticket={sso.NewTicketOf(sso.NewName())}&redirectUrl={Uri.EscapeDataString(address)}"])
            (await sso.NewBrowser().GetAsync(path)).Require(400);
    }

    [Fact]
    public async Task With_several_providers_the_user_picks_one()
    {
        var browser = sso.NewBrowser();
        var picker = (await browser.GetAsync("/_matrix/client/r0/login/sso/redirect?redirectUrl=" + Uri.EscapeDataString(Client))).Require(302);
        var page = (await browser.GetAsync(picker.Location!)).Require(200);
        Assert.Contains("Provider main", page.Body);
        Assert.Contains("value=\"cas\"", page.Body);
        Assert.DoesNotContain("<script", page.Body);
        var gone = (await browser.GetAsync($"{picker.Location}&idp=oidc-main")).Require(302);
        Assert.StartsWith(sso.Oidc.Address, gone.Location);
        (await browser.GetAsync($"{picker.Location}&idp=nobody")).Require(404);
        (await browser.GetAsync("/_matrix/client/v3/login/sso/redirect")).Require(400);
    }

    [Fact]
    public async Task Clients_are_told_of_the_providers()
    {
        var flows = (await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/login", null)).RequireOk().Body.GetProperty("flows").EnumerateArray().ToList();
        var types = flows.Select(f => f.GetProperty("type").GetString()).ToList();
        Assert.Contains("m.login.cas", types);
        Assert.Contains("m.login.token", types);
        var idps = flows.Single(f => f.GetProperty("type").GetString() == "m.login.sso").GetProperty("identity_providers").EnumerateArray().ToList();
        Assert.Contains(idps, i => i.GetProperty("id").GetString() == "oidc-main" && i.GetProperty("name").GetString() == "Provider main");
    }

    [Fact]
    public async Task A_logout_at_the_provider_ends_the_devices_of_that_session()
    {
        var name = sso.NewName();
        async Task<Answer> LogInAsync(string sid) =>
            (await sso.LogInAsync((await ComeBackAsync(sso.NewBrowser(), "main", Claims(name), c => c["sid"] = sid)).Require(302).Location!)).RequireOk();
        var first = await LogInAsync("session one");
        var second = await LogInAsync("session two");
        object Logout(string? sid, string sub, string aud = FakeOidcProvider.ClientId, bool withEvent = true) => new
        {
            iss = sso.Oidc.Address, aud, iat = sso.Clock.GetUtcNow().ToUnixTimeSeconds(), jti = "1", sub, sid,
            events = withEvent ? new Dictionary<string, object> { ["http://schemas.openid.net/event/backchannel-logout"] = new { } } : [],
        };
        Task<Visit> TellAsync(string token) => new TestBrowser(sso.Second).PostAsync("/_synapse/client/oidc/backchannel_logout", ("logout_token", token));
        using var other = RSA.Create(2048);
        (await TellAsync(sso.Oidc.LogoutToken(Logout("session one", "sub of " + name), other))).Require(400);
        (await TellAsync(sso.Oidc.LogoutToken(Logout("session one", "sub of " + name, withEvent: false)))).Require(400);
        (await TellAsync(sso.Oidc.LogoutToken(Logout("session one", "sub of " + name, "other client")))).Require(400);
        (await TellAsync(sso.Oidc.LogoutToken(Logout(null, "sub of " + name)))).Require(400);
        (await TellAsync("no token")).Require(400);
        (await TellAsync(sso.Oidc.LogoutToken(Logout("session one", "somebody else")))).Require(200);
        (await WhoAmIAsync(first)).RequireOk();
        (await TellAsync(sso.Oidc.LogoutToken(Logout("session one", "sub of " + name)))).Require(200);
        (await WhoAmIAsync(first)).Require(401, "M_UNKNOWN_TOKEN");
        (await WhoAmIAsync(second)).RequireOk();
    }

    // The second instance asks the database: it has not seen the token.
    private Task<Answer> WhoAmIAsync(Answer login) => sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/account/whoami", login.Text("access_token"), host: sso.Second);

    [Fact]
    public async Task A_deactivated_account_stays_closed()
    {
        var name = sso.NewName();
        var login = (await sso.LogInAsync((await ComeBackAsync(sso.NewBrowser(), "main", Claims(name))).Require(302).Location!)).RequireOk();
        await sso.Postgres.Source.CreateCommand($"update users set deactivated = true where user_id = '{login.Text("user_id")}'").ExecuteNonQueryAsync();
        (await ComeBackAsync(sso.NewBrowser(), "main", Claims(name))).Require(403);
    }
}

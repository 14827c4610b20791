using Matrix.ServiceTests.ClientApi;
using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.OAuth;

public sealed class TokenTests(SsoFixture sso) : IClassFixture<SsoFixture>
{
    private const string Grant = "urn:ietf:params:oauth:grant-type:device_code";

    private async Task<(OAuthApp App, TestBrowser Browser, string Code)> ApprovedAsync(string device)
    {
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        return (app, browser, (await app.ApproveAsync(browser, device, await sso.RegisterAsync()))["code"]);
    }

    [Fact]
    public async Task A_code_is_for_its_client_its_address_and_its_verifier()
    {
        var other = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata("Other app"));
        foreach (var attempt in (Func<OAuthApp, string, Task<Answer>>[])
        [
            (app, code) => app.ExchangeAsync(code, client: other.Id),
            (app, code) => app.ExchangeAsync(code, redirect: "https://app.example.com/other"),
            (app, code) => app.ExchangeAsync(code, redirect: null),
            (app, code) => app.ExchangeAsync(code, verifier: new string('w', 50)),
            (app, code) => app.ExchangeAsync(code, verifier: app.Challenge),
        ])
        {
            var (app, _, code) = await ApprovedAsync("A");
            (await attempt(app, code)).RequireError("invalid_grant");
            // One guess is all there is.
            (await app.ExchangeAsync(code)).RequireError("invalid_grant");
        }
        var (last, _, good) = await ApprovedAsync("A");
        (await last.PostAsync("token", ("grant_type", "authorization_code"), ("code", good), ("redirect_uri", OAuthApp.Redirect), ("client_id", last.Id))).RequireError("invalid_request");
        (await last.ExchangeAsync("unknown")).RequireError("invalid_grant");
    }

    [Fact]
    public async Task A_code_that_comes_again_ends_the_session()
    {
        var (app, _, code) = await ApprovedAsync("B");
        var tokens = (await app.ExchangeAsync(code)).RequireOk();
        app.Host = sso.Second;
        (await app.ExchangeAsync(code)).RequireError("invalid_grant");
        (await app.WhoAmIAsync(tokens.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await app.RefreshAsync(tokens.Text("refresh_token"))).RequireError("invalid_grant");
    }

    [Fact]
    public async Task A_code_expires()
    {
        var (app, _, code) = await ApprovedAsync("C");
        sso.Clock.Advance(TimeSpan.FromMinutes(3));
        (await app.ExchangeAsync(code)).RequireError("invalid_grant");
    }

    [Fact]
    public async Task A_lost_answer_to_a_refresh_is_asked_for_again()
    {
        var (app, _, code) = await ApprovedAsync("D");
        var first = (await app.ExchangeAsync(code)).RequireOk();
        var lost = (await app.RefreshAsync(first.Text("refresh_token"))).RequireOk();
        app.Host = sso.Second;
        var second = (await app.RefreshAsync(first.Text("refresh_token"))).RequireOk();
        (await app.WhoAmIAsync(lost.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await app.WhoAmIAsync(second.Text("access_token"))).RequireOk();
        (await app.RefreshAsync(second.Text("refresh_token"))).RequireOk();
    }

    [Fact]
    public async Task A_refresh_token_that_has_served_ends_the_session_when_it_comes_again()
    {
        var (app, _, code) = await ApprovedAsync("E");
        var first = (await app.ExchangeAsync(code)).RequireOk();
        var second = (await app.RefreshAsync(first.Text("refresh_token"))).RequireOk();
        var third = (await app.RefreshAsync(second.Text("refresh_token"))).RequireOk();
        (await app.RefreshAsync(first.Text("refresh_token"))).RequireError("invalid_grant");
        (await app.WhoAmIAsync(third.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await app.RefreshAsync(third.Text("refresh_token"))).RequireError("invalid_grant");
    }

    [Fact]
    public async Task A_refresh_token_that_was_used_long_ago_ends_the_session_too()
    {
        var (app, _, code) = await ApprovedAsync("O");
        var first = (await app.ExchangeAsync(code)).RequireOk();
        var last = first;
        for (var i = 0; i < 3; i++)
        {
            sso.Clock.Advance(TimeSpan.FromHours(2));
            last = (await app.RefreshAsync(last.Text("refresh_token"))).RequireOk();
        }
        var other = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata("Other app"));
        (await app.RefreshAsync(first.Text("refresh_token"), other.Id)).RequireError("invalid_grant");
        (await app.WhoAmIAsync(last.Text("access_token"))).RequireOk();
        (await app.RefreshAsync(first.Text("refresh_token"))).RequireError("invalid_grant");
        (await app.WhoAmIUntilEndedAsync(last.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await app.RefreshAsync(last.Text("refresh_token"))).RequireError("invalid_grant");
    }

    [Fact]
    public async Task Of_a_thief_and_an_owner_neither_goes_on()
    {
        var (app, _, code) = await ApprovedAsync("F");
        var stolen = (await app.ExchangeAsync(code)).RequireOk().Text("refresh_token");
        var owner = (await app.RefreshAsync(stolen)).RequireOk();
        var thief = (await app.RefreshAsync(stolen)).RequireOk();
        (await app.RefreshAsync(owner.Text("refresh_token"))).RequireError("invalid_grant");
        (await app.RefreshAsync(thief.Text("refresh_token"))).RequireError("invalid_grant");
        (await app.WhoAmIAsync(thief.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN");
    }

    [Fact]
    public async Task A_refresh_token_is_its_clients_and_ends_with_the_device()
    {
        var (app, _, code) = await ApprovedAsync("G");
        var tokens = (await app.ExchangeAsync(code)).RequireOk();
        var other = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata("Other app"));
        (await app.RefreshAsync(tokens.Text("refresh_token"), other.Id)).RequireError("invalid_grant");
        (await app.RefreshAsync(tokens.Text("refresh_token"), "unknown")).RequireError("invalid_client", 401);
        (await sso.JsonAsync(HttpMethod.Post, "/_matrix/client/v3/logout", tokens.Text("access_token"), new { })).RequireOk();
        (await app.RefreshAsync(tokens.Text("refresh_token"))).RequireError("invalid_grant");
    }

    [Fact]
    public async Task A_locked_account_keeps_its_session_and_may_do_nothing_with_it()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso);
        var tokens = (await app.ExchangeAsync((await app.ApproveAsync(sso.NewBrowser(), "L", user))["code"])).RequireOk();
        await SetAsync("locked = true");
        var next = (await app.RefreshAsync(tokens.Text("refresh_token"))).RequireOk();
        (await app.WhoAmIAsync(next.Text("access_token"))).Require(401, "M_USER_LOCKED");
        await SetAsync("locked = false, deactivated = true");
        (await app.RefreshAsync(next.Text("refresh_token"))).RequireError("invalid_grant");

        async Task SetAsync(string change)
        {
            await using var command = sso.Postgres.Source.CreateCommand($"update users set {change} where user_id = $1");
            command.Parameters.AddWithValue(user.Id);
            await command.ExecuteNonQueryAsync();
        }
    }

    [Fact]
    public async Task A_session_on_a_known_device_takes_its_tokens_over()
    {
        var app = await OAuthApp.RegisterAsync(sso);
        var user = await sso.RegisterAsync();
        var back = await app.ApproveAsync(sso.NewBrowser(), user.DeviceId, user);
        var tokens = (await app.ExchangeAsync(back["code"])).RequireOk();
        (await app.WhoAmIAsync(user.Token)).Require(401, "M_UNKNOWN_TOKEN");
        // And the old way back: the refresh token is of no use any more.
        (await sso.JsonAsync(HttpMethod.Post, "/_matrix/client/v3/login", null, new
        {
            type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password, device_id = user.DeviceId,
        })).RequireOk();
        (await app.WhoAmIAsync(tokens.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await app.RefreshAsync(tokens.Text("refresh_token"))).RequireError("invalid_grant");
    }

    [Fact]
    public async Task Wrong_requests_have_the_errors_of_the_rfc()
    {
        var app = await OAuthApp.RegisterAsync(sso);
        (await app.PostAsync("token", ("client_id", app.Id))).RequireError("invalid_request");
        (await app.PostAsync("token", ("client_id", app.Id), ("grant_type", "password"))).RequireError("unsupported_grant_type");
        (await app.PostAsync("token", ("grant_type", "authorization_code"))).RequireError("invalid_client", 401);
        (await app.PostAsync("token", ("client_id", app.Id), ("client_id", app.Id), ("grant_type", "refresh_token"))).RequireError("invalid_request");
        (await app.PostAsync("revoke")).RequireError("invalid_request");
        var device = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata("Device", [], "native", [Grant]));
        (await device.ExchangeAsync("code")).RequireError("unauthorized_client");
    }

    [Fact]
    public async Task A_device_waits_for_its_user()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata("Television", [], "native", [Grant, "refresh_token"]));
        Task<Answer> PollAsync(string code) => app.PostAsync("token", ("grant_type", Grant), ("device_code", code), ("client_id", app.Id));
        var begun = (await app.PostAsync("device_authorization", ("client_id", app.Id), ("scope", OAuthApp.Scope("TV")))).RequireOk();
        var code = begun.Text("device_code");
        (await PollAsync(code)).RequireError("authorization_pending");
        (await PollAsync(code)).RequireError("slow_down");
        (await PollAsync("unknown")).RequireError("invalid_grant");
        var browser = new TestBrowser(sso.Second);
        var login = await OAuthApp.FollowAsync(browser, await browser.GetAsync(begun.Text("verification_uri_complete")));
        var page = await OAuthApp.FollowAsync(browser, await browser.SubmitAsync(login, "/_synapse/client/login", ("username", user.Id), ("password", user.Password)));
        Assert.Contains("Television", page.Body);
        Assert.Contains(begun.Text("user_code"), page.Body);
        Assert.Contains("There is no device", (await browser.GetAsync("/_synapse/client/device?user_code=BBBB-BBBB")).Body);
        (await browser.SubmitAsync(page, "/_synapse/client/device", ("decision", "allow"))).Require(200);
        (await browser.SubmitAsync(page, "/_synapse/client/device", ("decision", "allow"))).Require(400);
        var stranger = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata("Stranger", [], "native", [Grant]));
        (await stranger.PostAsync("token", ("grant_type", Grant), ("device_code", code), ("client_id", stranger.Id))).RequireError("invalid_grant");
        var tokens = (await PollAsync(code)).RequireOk();
        var who = (await app.WhoAmIAsync(tokens.Text("access_token"))).RequireOk();
        Assert.Equal((user.Id, "TV"), (who.Text("user_id"), who.Text("device_id")));
        (await PollAsync(code)).RequireError("invalid_grant");
        (await app.RefreshAsync(tokens.Text("refresh_token"))).RequireOk();
    }

    [Fact]
    public async Task A_device_hears_when_its_user_refuses_or_never_comes()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata("Radio", [], "native", [Grant]));
        Task<Answer> PollAsync(string code) => app.PostAsync("token", ("grant_type", Grant), ("device_code", code), ("client_id", app.Id));
        var refused = (await app.PostAsync("device_authorization", ("client_id", app.Id), ("scope", OAuthApp.Scope("R")))).RequireOk();
        var forgotten = (await app.PostAsync("device_authorization", ("client_id", app.Id), ("scope", OAuthApp.Scope("R")))).RequireOk();
        var browser = sso.NewBrowser();
        var login = await OAuthApp.FollowAsync(browser, await browser.GetAsync(refused.Text("verification_uri_complete")));
        var page = await OAuthApp.FollowAsync(browser, await browser.SubmitAsync(login, "/_synapse/client/login", ("username", user.Id), ("password", user.Password)));
        (await browser.SubmitAsync(page, "/_synapse/client/device", ("decision", "deny"))).Require(200);
        (await PollAsync(refused.Text("device_code"))).RequireError("access_denied");
        sso.Clock.Advance(TimeSpan.FromMinutes(16));
        // Nor does another device that begins take it away.
        (await app.PostAsync("device_authorization", ("client_id", app.Id), ("scope", OAuthApp.Scope("R")))).RequireOk();
        (await PollAsync(forgotten.Text("device_code"))).RequireError("expired_token");
        (await app.PostAsync("device_authorization", ("client_id", app.Id), ("scope", "openid"))).RequireError("invalid_scope");
    }

    [Fact]
    public async Task A_user_looks_after_his_sessions()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        var tokens = (await app.ExchangeAsync((await app.ApproveAsync(browser, "PHONE1", user))["code"])).RequireOk();
        var list = (await browser.GetAsync("/_synapse/client/account?action=org.matrix.devices_list")).Require(200);
        Assert.Contains("My App", list.Body);
        Assert.Contains("device_id=PHONE1", list.Body);
        var device = (await browser.GetAsync("/_synapse/client/account?action=org.matrix.device_delete&device_id=PHONE1")).Require(200);
        (await app.WhoAmIAsync(tokens.Text("access_token"))).RequireOk();
        browser.Host = sso.Second;
        (await browser.SubmitAsync(device, "/_synapse/client/account/end_session")).Require(303);
        (await app.WhoAmIUntilEndedAsync(tokens.Text("access_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await app.RefreshAsync(tokens.Text("refresh_token"))).RequireError("invalid_grant");
    }

    [Fact]
    public async Task Closing_the_account_needs_a_fresh_proof_and_a_tick()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        await app.ApproveAsync(browser, "X", user);
        const string path = "/_synapse/client/account?action=org.matrix.account_deactivate";
        var page = (await browser.GetAsync(path)).Require(200);
        (await browser.SubmitAsync(page, "/_synapse/client/account/deactivate")).Require(400);
        sso.Clock.Advance(TimeSpan.FromMinutes(6));
        (await browser.SubmitAsync(page, "/_synapse/client/account/deactivate", ("confirm", "true"))).Require(303);
        var login = await OAuthApp.FollowAsync(browser, (await browser.GetAsync(path)).Require(303));
        Assert.Contains("once more", login.Body);
        page = await OAuthApp.FollowAsync(browser, await browser.SubmitAsync(login, "/_synapse/client/login", ("username", user.Id), ("password", user.Password)));
        (await browser.SubmitAsync(page, "/_synapse/client/account/deactivate", ("confirm", "true"))).Require(200);
        Assert.True((bool)(await sso.Postgres.Source.CreateCommand($"select deactivated from users where user_id = '{user.Id}'").ExecuteScalarAsync())!);
        (await browser.GetAsync("/_synapse/client/account")).Require(303);
    }
}

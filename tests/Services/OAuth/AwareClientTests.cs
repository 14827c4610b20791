using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.OAuth;

/// <summary>Clients that know of the OAuth 2.0 API and log in by m.login.sso. Spec: client-server-api/#oauth-20-aware-clients</summary>
public sealed class AwareClientTests(SsoFixture sso) : IClassFixture<SsoFixture>
{
    private const string Redirect = "/_matrix/client/v3/login/sso/redirect?redirectUrl=";
    private static readonly string Client = Uri.EscapeDataString(SsoFixture.Trusted + "app?x=1");

    [Fact]
    public async Task The_flow_is_said_to_be_the_preferred_one()
    {
        var flows = (await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/login", null)).RequireOk().Body.GetProperty("flows").EnumerateArray();
        var flow = flows.Single(f => f.GetProperty("type").GetString() == "m.login.sso");
        Assert.True(flow.GetProperty("oauth_aware_preferred").GetBoolean());
        Assert.True(flow.GetProperty("org.matrix.msc3824.delegated_oidc_compatibility").GetBoolean());
    }

    [Fact]
    public async Task A_login_goes_by_our_page_and_comes_back_with_a_token_for_any_instance()
    {
        var user = await sso.RegisterAsync();
        var browser = sso.NewBrowser();
        var page = await OAuthApp.FollowAsync(browser, (await browser.GetAsync(Redirect + Client + "&action=login")).Require(302));
        Assert.Contains("name=\"password\"", page.Body);
        browser.Host = sso.Second;
        var back = await OAuthApp.FollowAsync(browser, (await browser.SubmitAsync(page, "/_synapse/client/login", ("username", user.Id), ("password", user.Password))).Require(303));
        Assert.StartsWith(SsoFixture.Trusted + "app?x=1&loginToken=", back.Location);
        Assert.Equal(user.Id, (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
        // Once.
        (await sso.LogInAsync(back.Location!)).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task A_registration_begins_on_the_page_for_new_accounts()
    {
        var browser = sso.NewBrowser();
        var page = await OAuthApp.FollowAsync(browser, (await browser.GetAsync(Redirect + Client + "&action=register")).Require(302));
        var name = sso.NewName("new");
        var back = await OAuthApp.FollowAsync(browser, (await browser.SubmitAsync(
            page, "/_synapse/client/signup", ("username", name), ("password", "pass word 1"), ("password_again", "pass word 1"))).Require(303));
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
    }

    [Fact]
    public async Task A_client_that_nobody_named_is_shown_to_the_user_and_addresses_that_are_none_are_refused()
    {
        var user = await sso.RegisterAsync();
        var browser = sso.NewBrowser();
        var stranger = Uri.EscapeDataString("https://stranger.example/");
        var page = await OAuthApp.FollowAsync(browser, await browser.GetAsync(Redirect + stranger + "&action=login"));
        var shown = await OAuthApp.FollowAsync(browser, (await browser.SubmitAsync(page, "/_synapse/client/login", ("username", user.Id), ("password", user.Password))).Require(303));
        Assert.Contains("https://stranger.example/", shown.Require(200).Body);
        foreach (var address in (string[])["javascript:alert(1)", "//evil.example/", "/own", ""])
        {
            (await browser.GetAsync(Redirect + Uri.EscapeDataString(address) + "&action=login")).Require(400);
            (await browser.GetAsync("/_synapse/client/login/client?redirectUrl=" + Uri.EscapeDataString(address))).Require(400);
        }
    }

    [Fact]
    public async Task An_account_that_was_locked_meanwhile_gets_no_token()
    {
        var user = await sso.RegisterAsync();
        var browser = sso.NewBrowser();
        var page = await OAuthApp.FollowAsync(browser, await browser.GetAsync(Redirect + Client + "&action=login"));
        await OAuthApp.FollowAsync(browser, (await browser.SubmitAsync(page, "/_synapse/client/login", ("username", user.Id), ("password", user.Password))).Require(303));
        await using (var command = sso.Postgres.Source.CreateCommand("update users set locked = true where user_id = $1"))
        {
            command.Parameters.AddWithValue(user.Id);
            await command.ExecuteNonQueryAsync();
        }
        // What the browser has is worth nothing any more: he is asked who he is.
        var refused = (await OAuthApp.FollowAsync(browser, await browser.GetAsync(Redirect + Client + "&action=login"))).Require(200);
        Assert.Contains("name=\"password\"", refused.Body);
    }

    [Fact]
    public async Task A_client_that_says_nothing_of_it_goes_on_to_the_providers()
    {
        var browser = sso.NewBrowser();
        Assert.Contains("pick_idp", (await browser.GetAsync(Redirect + Client)).Require(302).Location);
    }
}

using System.Text.Json;
using Matrix.ServiceTests.ClientApi;
using Matrix.ServiceTests.Keys;
using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.OAuth;

/// <summary>New cross-signing keys of who came in through the OAuth 2.0 API. Spec: client-server-api/#oauth-authentication</summary>
public sealed class KeyResetTests(SsoFixture sso) : IClassFixture<SsoFixture>
{
    private const string Upload = "/_matrix/client/v3/keys/device_signing/upload";

    private async Task<(TestUser User, string Token, TestBrowser Browser)> SessionAsync()
    {
        var user = await sso.RegisterAsync();
        var app = await OAuthApp.RegisterAsync(sso);
        var browser = sso.NewBrowser();
        var tokens = (await app.ExchangeAsync((await app.ApproveAsync(browser, "APP1", user))["code"])).RequireOk();
        (await sso.JsonAsync(HttpMethod.Post, Upload, tokens.Text("access_token"), new CrossSigningSet(user).Upload())).RequireOk();
        return (user, tokens.Text("access_token"), browser);
    }

    private async Task<(string Session, string Url)> ChallengedAsync(TestUser user, string token)
    {
        var challenge = await sso.JsonAsync(HttpMethod.Post, Upload, token, new CrossSigningSet(user).Upload());
        Assert.Equal(401, challenge.Status);
        Assert.Equal(["m.oauth", "org.matrix.cross_signing_reset"], challenge.Body.GetProperty("flows").EnumerateArray().Select(f => f.GetProperty("stages")[0].GetString()));
        return (challenge.Text("session"), challenge.Body.GetProperty("params").GetProperty("m.oauth").GetProperty("url").GetString()!);
    }

    private Task<Answer> WithSessionAsync(TestUser user, string token, string session) =>
        sso.JsonAsync(HttpMethod.Post, Upload, token, new CrossSigningSet(user).Upload(new { session }), sso.Second);

    [Fact]
    public async Task The_user_agrees_on_the_account_page_and_the_client_goes_on_with_its_session()
    {
        var (user, token, browser) = await SessionAsync();
        var (session, url) = await ChallengedAsync(user, token);
        Assert.Equal(401, (await WithSessionAsync(user, token, session)).Status);
        var page = (await browser.GetAsync(url)).Require(200);
        Assert.Contains(user.Id, page.Body);
        Assert.DoesNotContain("<script", page.Body);
        (await browser.SubmitAsync(page, "/_synapse/client/account/reset_keys")).Require(400);
        Assert.Equal(401, (await WithSessionAsync(user, token, session)).Status);
        browser.Host = sso.Second;
        (await browser.SubmitAsync(page, "/_synapse/client/account/reset_keys", ("confirm", "true"))).Require(200);
        (await WithSessionAsync(user, token, session)).RequireOk();
        // It was for this once.
        (await WithSessionAsync(user, token, session)).Require(400, "M_UNKNOWN");
    }

    [Fact]
    public async Task Clients_that_name_the_stage_as_it_was_called_before_are_served_too()
    {
        var (user, token, browser) = await SessionAsync();
        var (session, url) = await ChallengedAsync(user, token);
        object Named() => new CrossSigningSet(user).Upload(new { type = "org.matrix.cross_signing_reset", session });
        Assert.Equal(401, (await sso.JsonAsync(HttpMethod.Post, Upload, token, Named())).Status);
        (await browser.SubmitAsync((await browser.GetAsync(url)).Require(200), "/_synapse/client/account/reset_keys", ("confirm", "true"))).Require(200);
        (await sso.JsonAsync(HttpMethod.Post, Upload, token, Named())).RequireOk();
    }

    [Theory]
    [InlineData("m.oauth")]
    [InlineData("org.matrix.cross_signing_reset")]
    public async Task Clients_that_do_not_know_the_stage_send_the_user_to_its_fallback_page(string stage)
    {
        var (user, token, browser) = await SessionAsync();
        var (session, url) = await ChallengedAsync(user, token);
        var fallback = $"/_matrix/client/v3/auth/{stage}/fallback/web?session=";
        Assert.Equal(url, (await browser.GetAsync(fallback + session)).Require(302).Location);
        (await browser.GetAsync(fallback + "unknown")).Require(400);
        var done = (await browser.SubmitAsync((await browser.GetAsync(url)).Require(200), "/_synapse/client/account/reset_keys", ("confirm", "true"))).Require(200);
        Assert.Contains("window.onAuthDone()", done.Body);
        Assert.Contains("window.onAuthDone()", (await browser.GetAsync(fallback + session)).Require(200).Body);
        (await WithSessionAsync(user, token, session)).RequireOk();
    }

    [Fact]
    public async Task Nobody_agrees_for_another_nor_without_a_fresh_login_nor_from_another_site()
    {
        var (user, token, browser) = await SessionAsync();
        var (session, url) = await ChallengedAsync(user, token);
        var (_, _, stranger) = await SessionAsync();
        var foreign = (await stranger.GetAsync(url)).Require(200);
        (await stranger.SubmitAsync(foreign, "/_synapse/client/account/reset_keys", ("confirm", "true"))).Require(400);
        (await sso.NewBrowser().GetAsync(url)).Require(303);

        var page = (await browser.GetAsync(url)).Require(200);
        browser.Origin = "https://evil.example";
        (await browser.PostAsync("/_synapse/client/account/reset_keys", ("session", session), ("user_id", user.Id), ("confirm", "true"))).Require(403);
        browser.Origin = SsoFixture.PublicBase.TrimEnd('/');
        sso.Clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Contains("again=1", (await browser.GetAsync(url)).Require(303).Location);
        (await browser.SubmitAsync(page, "/_synapse/client/account/reset_keys", ("confirm", "true"))).Require(303);
    }

    [Fact]
    public async Task Other_sessions_prove_themselves_as_ever()
    {
        var user = await sso.RegisterAsync();
        (await sso.JsonAsync(HttpMethod.Post, Upload, user.Token, new CrossSigningSet(user).Upload())).RequireOk();
        var challenge = await sso.JsonAsync(HttpMethod.Post, Upload, user.Token, new CrossSigningSet(user).Upload());
        Assert.Equal("m.login.password", challenge.Body.GetProperty("flows")[0].GetProperty("stages")[0].GetString());
    }
}

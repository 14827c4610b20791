using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class UiaFallbackFixture : ThreepidFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        RateLimitsEnabled = true,
        RateLimits = new()
        {
            LoginFailedAttempts = new(0.001, 3), ThirdPartyValidation = new(0.001, 1000), Registration = new(100, 1000), LoginAddress = new(100, 1000), LoginAccount = new(100, 1000),
        },
    };
}

/// <summary>Pages of stages that clients mostly know themselves.</summary>
public sealed class UiaFallbackTests(UiaFallbackFixture api) : IClassFixture<UiaFallbackFixture>
{
    private const string V3 = "/_matrix/client/v3";
    private const string Dummy = "m.login.dummy", Password = "m.login.password", Email = "m.login.email.identity", Phone = "m.login.msisdn";

    private static string Page(string stage, string session) => UiaPageTests.Page(stage, session);
    private TestBrowser NewBrowser() => new(api.Host);

    private async Task<string> BeginAsync() => (await api.PostAsync(null, V3 + "/register", new { username = api.NewName(), password = "p" })).Text("session");

    private async Task<Visit> SendAsync(TestBrowser browser, string stage, string session, params (string, string)[] fields) =>
        await browser.SubmitAsync((await browser.GetAsync(Page(stage, session))).Require(200), Page(stage, session), fields);

    /// <summary>The page after a form that leads back to it.</summary>
    private static async Task<Visit> BackAsync(TestBrowser browser, string stage, string session, Visit sent)
    {
        Assert.Equal($"?session={session}", sent.Require(303).Location);
        return (await browser.GetAsync(Page(stage, session))).Require(200);
    }

    private static void RequireComplaint(Visit page, string text)
    {
        Assert.Contains("role=\"alert\"", page.Require(200).Body);
        Assert.Contains(text, page.Body);
    }

    private static void RequireDone(Visit page) => Assert.Contains("onAuthDone", page.Require(200).Body);

    [Fact]
    public async Task Nothing_is_proved_with_one_button()
    {
        var session = await BeginAsync();
        var browser = NewBrowser();
        var page = (await browser.GetAsync(Page(Dummy, session))).Require(200);
        Assert.DoesNotContain("<script", page.Body);
        Assert.Contains("script-src 'none'", page.Header("Content-Security-Policy"));
        Assert.Equal(401, (await api.PostAsync(null, V3 + "/register", new { auth = new { session } })).Status);
        RequireDone(await browser.SubmitAsync(page, Page(Dummy, session)));
        (await api.PostAsync(null, V3 + "/register", new { auth = new { session } })).RequireOk();
    }

    [Fact]
    public async Task A_user_shows_that_he_knows_his_password()
    {
        var user = await api.RegisterUserAsync(password: "mine");
        var other = await api.LogInAsync(user);
        var device = $"{V3}/devices/{other.DeviceId}";
        var session = (await api.DeleteAsync(user, device, "{}")).Text("session");
        var browser = NewBrowser();
        var page = (await browser.GetAsync(Page(Password, session))).Require(200);
        Assert.Contains(user.Id, page.Body);
        Assert.Contains("remove a device", page.Body);
        Assert.DoesNotContain("name=\"username\"", page.Body);
        var refused = await browser.SubmitAsync(page, Page(Password, session), ("password", "wrong"));
        RequireComplaint(refused, "Invalid username or password");
        Assert.DoesNotContain("wrong", refused.Body);
        // A name that comes along changes nothing: the session says who it is.
        var stranger = await api.RegisterUserAsync(password: "theirs");
        RequireComplaint(await browser.SubmitAsync(page, Page(Password, session), ("username", stranger.Id), ("password", "theirs")), "Invalid username or password");
        Assert.Equal(401, (await api.DeleteAsync(user, device, new { auth = new { session } })).Status);
        RequireDone(await browser.SubmitAsync(refused, Page(Password, session), ("password", "mine")));
        (await api.DeleteAsync(user, device, new { auth = new { session } })).RequireOk();
    }

    [Fact]
    public async Task The_page_says_what_is_confirmed()
    {
        var user = await api.RegisterUserAsync();
        foreach (var (path, body, words) in new (string, object, string)[]
        {
            ("/account/3pid/add", new { sid = "s", client_secret = "c" }, "add an email address or phone number"), ("/account/deactivate", new { }, "deactivate your account"),
            ("/account/password", new { new_password = "n" }, "change the password"),
        })
        {
            var session = (await api.PostAsync(user, V3 + path, body)).Text("session");
            Assert.Contains(words, (await NewBrowser().GetAsync(Page(Password, session))).Require(200).Body);
        }
    }

    [Fact]
    public async Task Guesses_of_a_password_are_limited_on_the_page_as_anywhere()
    {
        var user = await api.RegisterUserAsync(password: "mine");
        var session = (await api.DeleteAsync(user, $"{V3}/devices/{user.DeviceId}", "{}")).Text("session");
        var browser = NewBrowser();
        for (var i = 0; i < 3; i++) RequireComplaint(await SendAsync(browser, Password, session, ("password", "wrong")), "Invalid username or password");
        RequireComplaint(await SendAsync(browser, Password, session, ("password", "mine")), "too often");
        (await api.PostAsync(null, V3 + "/login", new { type = Password, identifier = new { type = "m.id.user", user = user.Id }, password = "mine" })).Require(429, "M_LIMIT_EXCEEDED");
    }

    [Fact]
    public async Task Where_nobody_is_named_the_page_asks_who_it_is()
    {
        var user = await api.RegisterUserAsync(password: "mine");
        var session = api.NewName("session-of-an-operation");
        await api.ExecuteAsync(
            """insert into uia_sessions (session_id, created_ts_ms, params, request, flows) values ($1, $2, 'something', '{}', '[["m.login.password"]]')""",
            session, api.Clock.GetUtcNow().ToUnixTimeMilliseconds());
        var browser = NewBrowser();
        Assert.Contains("name=\"username\"", (await browser.GetAsync(Page(Password, session))).Require(200).Body);
        RequireComplaint(await SendAsync(browser, Password, session, ("username", user.Id), ("password", "wrong")), "Invalid username or password");
        RequireDone(await SendAsync(browser, Password, session, ("username", user.Id), ("password", "mine")));
        Assert.Equal(user.Id, await api.ScalarAsync("select results ->> 'm.login.password' from uia_sessions where session_id = $1", session));
    }

    [Fact]
    public async Task The_link_of_a_mail_completes_the_stage_in_the_same_browser()
    {
        var session = await BeginAsync();
        var browser = NewBrowser();
        RequireComplaint(await SendAsync(browser, Email, session, ("step", "send"), ("address", "no <address>")), "value=\"no &lt;address&gt;\"");
        RequireComplaint(await SendAsync(browser, Email, session, ("step", "send"), ("address", "a@evil.example")), "not authorized");
        var wait = await BackAsync(browser, Email, session, await SendAsync(browser, Email, session, ("step", "send"), ("address", "page@good.example")));
        Assert.Contains("page@good.example", wait.Body);
        var mail = await api.Mail.NextAsync();
        Assert.Equal("page@good.example", mail.To);
        RequireComplaint(await browser.SubmitAsync(wait, Page(Email, session), ("step", "done")), "not been opened");
        var back = (await browser.GetAsync(mail.Link.ToString())).Require(302);
        Assert.Equal("https://matrix.test.example" + Page(Email, session), back.Location);
        RequireDone(await browser.GetAsync(back.Location!));
        var done = (await api.PostAsync(null, V3 + "/register", new { auth = new { session } })).RequireOk();
        var known = (await api.GetAsync(new TestUser("", done.Text("access_token"), "", ""), V3 + "/account/3pid")).RequireOk().Body.GetProperty("threepids")[0];
        Assert.Equal("page@good.example", known.GetProperty("address").GetString());
    }

    [Fact]
    public async Task A_mail_that_is_read_elsewhere_completes_the_stage_with_a_button()
    {
        var session = await BeginAsync();
        var browser = NewBrowser();
        await SendAsync(browser, Email, session, ("step", "send"), ("address", "typo@good.example"));
        await api.Mail.NextAsync();
        var other = await BackAsync(browser, Email, session, await SendAsync(browser, Email, session, ("step", "other")));
        Assert.Contains("name=\"address\"", other.Body);
        RequireComplaint(await browser.SubmitAsync(other, Page(Email, session), ("step", "done")), "Enter your address");
        await SendAsync(browser, Email, session, ("step", "send"), ("address", "elsewhere@good.example"));
        var first = await api.Mail.NextAsync();
        var again = await BackAsync(browser, Email, session, await SendAsync(browser, Email, session, ("step", "again")));
        Assert.Contains("elsewhere@good.example", again.Body);
        var second = await api.Mail.NextAsync();
        Assert.NotEqual(first.Link, second.Link);
        // Both are of one proof: the older mail is as good.
        (await NewBrowser().GetAsync(first.Link.ToString())).Require(302);
        RequireDone(await browser.SubmitAsync(again, Page(Email, session), ("step", "done")));
        (await api.PostAsync(null, V3 + "/register", new { auth = new { session } })).RequireOk();
    }

    [Fact]
    public async Task A_lost_password_is_replaced_by_way_of_the_page()
    {
        var name = api.NewName();
        var made = (await api.PostAsync(null, V3 + "/register", new
        {
            username = name, password = "lost", auth = new { type = Email, threepid_creds = await api.ProveAsync("/register", $"{name}@good.example") },
        })).RequireOk();
        var session = (await api.PostAsync(null, V3 + "/account/password", new { new_password = "found" })).Text("session");
        var browser = NewBrowser();
        RequireComplaint(await SendAsync(browser, Email, session, ("step", "send"), ("address", "nobody@good.example")), "not found");
        await SendAsync(browser, Email, session, ("step", "send"), ("address", $"{name}@good.example"));
        var confirm = (await browser.GetAsync((await api.Mail.NextAsync()).Link.ToString())).Require(200);
        // The link alone confirms nothing.
        Assert.Contains("Look into your mailbox", (await browser.GetAsync(Page(Email, session))).Body);
        var back = (await browser.SubmitAsync(confirm, "/_synapse/client/password_reset/email/submit_token")).Require(302);
        RequireDone(await browser.GetAsync(back.Location!));
        (await api.PostAsync(null, V3 + "/account/password", new { auth = new { session } })).RequireOk();
        await api.LogInAsync(made.Text("user_id"), "found");
    }

    [Fact]
    public async Task A_phone_number_is_proved_with_the_code_of_a_message()
    {
        var session = await BeginAsync();
        var browser = NewBrowser();
        RequireComplaint(await SendAsync(browser, Phone, session, ("step", "send"), ("address", "0170 9999999")), "the code of your country");
        RequireComplaint(await SendAsync(browser, Phone, session, ("step", "send"), ("address", "+44 20 7946 0000")), "not authorized");
        var enter = await BackAsync(browser, Phone, session, await SendAsync(browser, Phone, session, ("step", "send"), ("address", "+" + IdentityServerFake.CodedNumber)));
        Assert.Contains("name=\"code\"", enter.Body);
        var asked = api.Identity.Requests.Last(r => r.Path.EndsWith("/validate/msisdn/requestToken", StringComparison.Ordinal)).Body;
        Assert.Contains("\"country\":\"DE\"", asked);
        RequireComplaint(await browser.SubmitAsync(enter, Page(Phone, session), ("step", "done"), ("code", "000000")), "not the code");
        RequireDone(await browser.SubmitAsync(enter, Page(Phone, session), ("step", "done"), ("code", IdentityServerFake.Code)));
        (await api.PostAsync(null, V3 + "/register", new { auth = new { session } })).RequireOk();
    }

    [Fact]
    public async Task Forms_that_come_from_elsewhere_prove_nothing()
    {
        var session = await BeginAsync();
        var browser = NewBrowser();
        var page = (await browser.GetAsync(Page(Dummy, session))).Require(200);
        foreach (var origin in (string?[])["https://evil.example", "null"])
        {
            browser.Origin = origin;
            (await browser.SubmitAsync(page, Page(Dummy, session))).Require(403);
        }
        browser.Origin = null;
        (await browser.SubmitAsync(page, Page(Dummy, session), ("csrf", "guessed"))).Require(403);
        (await browser.PostAsync(Page(Dummy, session))).Require(403);
        // A page of the administrator's own, without the field: the browser says where it comes from. The name of this server is whatever the client knows it by.
        browser.Origin = api.Http.BaseAddress!.GetLeftPart(UriPartial.Authority);
        RequireDone(await browser.PostAsync(Page(Dummy, session)));
    }
}

public sealed class SparingFixture : ThreepidFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        RateLimitsEnabled = true, RateLimits = new() { ThirdPartyValidation = new(0.001, 2), Registration = new(100, 1000) },
    };
}

public sealed class SparingTests(SparingFixture api) : IClassFixture<SparingFixture>
{
    [Fact]
    public async Task Mails_that_a_page_asks_for_are_limited_as_those_of_clients()
    {
        const string Email = "m.login.email.identity";
        var session = (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = api.NewName(), password = "p" })).Text("session");
        var path = UiaPageTests.Page(Email, session);
        var browser = new TestBrowser(api.Host);
        (await browser.SubmitAsync(await browser.GetAsync(path), path, ("step", "send"), ("address", "much@good.example"))).Require(303);
        (await browser.SubmitAsync(await browser.GetAsync(path), path, ("step", "again"))).Require(303);
        Assert.Contains("too often", (await browser.SubmitAsync(await browser.GetAsync(path), path, ("step", "again"))).Require(200).Body);
        (await api.PostAsync(null, "/_matrix/client/v3/register/email/requestToken", new { client_secret = "s", email = "other@good.example", send_attempt = 1 })).Require(429, "M_LIMIT_EXCEEDED");
    }
}

using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.OAuth;

/// <summary>Sign-up through stages: the same sessions and pages as those of clients that register.</summary>
public sealed class SignUpTests(SignUpFixture sso) : IClassFixture<SignUpFixture>
{
    private const string Register = "/_matrix/client/v3/register";

    private (TestBrowser Browser, SignUpWalk Walk) New()
    {
        var browser = sso.NewBrowser();
        return (browser, new SignUpWalk(sso, browser));
    }

    private static void RequireForm(Visit page) => Assert.Contains("name=\"password_again\"", page.Require(200).Body);

    [Fact]
    public async Task A_new_user_passes_every_stage_each_on_another_instance()
    {
        var metadata = (await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v1/auth_metadata", null)).RequireOk();
        Assert.Equal("create", metadata.Body.GetProperty("prompt_values_supported")[0].GetString());
        var app = await OAuthApp.RegisterAsync(sso);
        var (browser, walk) = New();
        var turn = 0;
        Visit Turn(Visit page)
        {
            browser.Host = turn++ % 2 == 0 ? sso.Second : sso.First;
            return page.Require(200);
        }

        var page = Turn(await OAuthApp.FollowAsync(browser, await browser.GetAsync(app.Authorize("NEWDEVICE", ("prompt", "create")))));
        Assert.Contains("Registration token", page.Body);
        page = Turn(await browser.SubmitAsync(page, $"{SignUpWalk.Root}/{SignUpWalk.Token}", ("token", "closed")));
        Assert.Contains("role=\"alert\"", page.Body);
        var token = await sso.NewTokenAsync();
        page = Turn(await walk.PassAsync(page, SignUpWalk.Token, ("token", token)));
        Assert.Contains("g-recaptcha", page.Body);
        Assert.Contains("step 2 of 5", page.Body);
        page = Turn(await browser.SubmitAsync(page, $"{SignUpWalk.Root}/{SignUpWalk.Captcha}", ("g-recaptcha-response", "bad")));
        page = Turn(await walk.PassAsync(page, SignUpWalk.Captcha, ("g-recaptcha-response", "good")));
        Assert.Contains("name=\"accept\"", page.Body);
        page = Turn(await walk.PassAsync(page, SignUpWalk.Terms, ("accept", "yes")));
        var name = sso.NewName("walker");
        page = Turn(await walk.PassAsync(page, SignUpWalk.Email, ("step", "send"), ("address", $"{name}@good.example")));
        Assert.Contains("Look into your mailbox", page.Body);
        page = Turn(await OAuthApp.FollowAsync(browser, (await browser.GetAsync((await sso.Mail.NextAsync()).Link.ToString())).Require(302)));
        RequireForm(page);
        page = Turn(await OAuthApp.FollowAsync(browser, (await walk.MakeAsync(page, name)).Require(303)));
        Assert.Contains($"@{name}:test.example", page.Body);
        Assert.False(browser.Cookies.ContainsKey("armada_signup"));
        var back = OAuthApp.Parameters((await browser.SubmitAsync(page, OAuthApp.Root + "consent", ("decision", "allow"))).Require(303).Location!);
        var tokens = (await app.ExchangeAsync(back["code"])).RequireOk();
        Assert.Equal($"@{name}:test.example", (await app.WhoAmIAsync(tokens.Text("access_token"))).RequireOk().Text("user_id"));
        await using var command = sso.Postgres.Source.CreateCommand(
            $"""
            select u.consent_version || ' ' || t.address || ' ' || r.completed || ' ' || r.pending from users u join user_threepids t using (user_id), registration_tokens r
            where user_id = '@{name}:test.example' and r.token = '{token}'
            """);
        Assert.Equal($"1.0 {name}@good.example 1 0", await command.ExecuteScalarAsync());
    }

    [Fact]
    public async Task No_stage_is_skipped()
    {
        var (browser, walk) = New();
        var first = await walk.StartAsync();
        var name = sso.NewName("skipper");
        foreach (var stage in (string[])[SignUpWalk.Captcha, SignUpWalk.Terms, SignUpWalk.Email, "m.login.dummy", "m.login.password", "m.login.nothing"])
        {
            Assert.EndsWith("/signup", (await browser.GetAsync($"{SignUpWalk.Root}/{stage}")).Require(303).Location);
            var sent = await browser.SubmitAsync(first, $"{SignUpWalk.Root}/{stage}", ("accept", "yes"), ("g-recaptcha-response", "good"), ("step", "done"));
            Assert.EndsWith("/signup", sent.Require(303).Location);
        }
        Assert.Contains("Registration token", (await OAuthApp.FollowAsync(browser, (await walk.MakeAsync(first, name)).Require(303))).Body);
        // The pages of clients know the session, and its order, too.
        (await browser.GetAsync($"/_matrix/client/v3/auth/{SignUpWalk.Terms}/fallback/web?session={browser.Cookies["armada_signup"]}")).Require(401);
        var second = await walk.PassAsync(first, SignUpWalk.Token, ("token", await sso.NewTokenAsync()));
        await walk.MakeAsync(second, name);
        Assert.Equal(0, await sso.CountAsync(name));
        // Going back does no harm.
        Assert.EndsWith("/signup", (await browser.GetAsync($"{SignUpWalk.Root}/{SignUpWalk.Token}")).Require(303).Location);
    }

    [Fact]
    public async Task Sessions_that_are_none_of_a_sign_up_lead_nowhere()
    {
        var (browser, walk) = New();
        var page = await walk.StartAsync();
        var own = browser.Cookies["armada_signup"];
        var registering = (await sso.JsonAsync(HttpMethod.Post, Register, null, new { username = sso.NewName(), password = "p" })).Text("session");
        foreach (var forged in (string?[])[registering, new('x', 24), null])
        {
            browser.Cookies.Remove("armada_signup");
            if (forged is not null) browser.Cookies["armada_signup"] = forged;
            (await browser.GetAsync($"{SignUpWalk.Root}/{SignUpWalk.Token}")).Require(400);
            (await browser.SubmitAsync(page, $"{SignUpWalk.Root}/{SignUpWalk.Token}", ("token", await sso.NewTokenAsync()))).Require(400);
            (await walk.MakeAsync(page, sso.NewName("forger"))).Require(400);
        }
        // A sign-up serves no client that registers.
        (await sso.JsonAsync(HttpMethod.Post, Register, null, new { username = sso.NewName(), password = "p", auth = new { session = own } })).Require(403, "M_FORBIDDEN");
        Assert.Equal(0, await sso.CountAsync("forger"));
    }

    [Fact]
    public async Task A_page_of_another_sign_up_proves_nothing_in_this_one()
    {
        var (browser, walk) = New();
        await walk.StartAsync();
        var (_, strangers) = New();
        var theirs = await strangers.StartAsync();
        var sent = await browser.PostAsync($"{SignUpWalk.Root}/{SignUpWalk.Token}", ("session", theirs.HiddenFields.First(f => f.Name == "session").Value), ("token", await sso.NewTokenAsync()));
        Assert.Contains("Registration token", (await OAuthApp.FollowAsync(browser, sent.Require(303))).Body);
    }

    [Fact]
    public async Task A_sign_up_makes_one_account_however_often_it_is_finished()
    {
        var (browser, walk) = New();
        var name = sso.NewName("double");
        var form = await walk.ThroughAllAsync($"{name}@good.example");
        var session = browser.Cookies["armada_signup"];
        RequireForm(form);
        TestBrowser Copy()
        {
            var copy = sso.NewBrowser();
            foreach (var (key, value) in browser.Cookies) copy.Cookies[key] = value;
            return copy;
        }

        // At once, on both instances, under one name and under others.
        var presses = Enumerable.Range(0, 8).Select(i =>
        {
            var pressed = Copy();
            pressed.Host = i % 2 == 0 ? sso.First : sso.Second;
            return new SignUpWalk(sso, pressed).MakeAsync(form, $"{name}{(i < 4 ? "" : $"_{i}")}");
        });
        var answers = await Task.WhenAll(presses);
        Assert.Contains(answers, a => a.Status == 303);
        Assert.Equal(1, await sso.CountAsync(name));
        // The copy of a cookie is worth nothing without the password of the account.
        var replaying = Copy();
        Assert.Equal(session, replaying.Cookies["armada_signup"]);
        (await new SignUpWalk(sso, replaying).MakeAsync(form, $"{name}_new")).Require(400);
        (await new SignUpWalk(sso, replaying).MakeAsync(form, name, "guessed")).Require(400);
        Assert.False(replaying.Cookies.ContainsKey("armada_session"));
        Assert.Equal(1, await sso.CountAsync(name));
        Assert.Contains("Registration token", (await new SignUpWalk(sso, replaying).StartAsync()).Body);
    }

    [Fact]
    public async Task A_name_that_is_taken_can_be_replaced_by_another()
    {
        var (browser, walk) = New();
        var name = sso.NewName("taken");
        await sso.Postgres.Source.CreateCommand($"insert into users (user_id, created_ts_ms) values ('@{name}:test.example', 0)").ExecuteNonQueryAsync();
        var form = await walk.ThroughAllAsync($"{name}@good.example");
        var refused = (await walk.MakeAsync(form, name)).Require(400);
        Assert.Contains("role=\"alert\"", refused.Body);
        (await walk.MakeAsync(refused, name + "_other")).Require(303);
        Assert.Equal(2, await sso.CountAsync(name));
    }

    [Fact]
    public async Task A_sign_up_that_took_too_long_is_over()
    {
        var (browser, walk) = New();
        var name = sso.NewName("late");
        var form = await walk.ThroughAllAsync($"{name}@good.example");
        sso.Clock.Advance(TimeSpan.FromHours(49));
        (await walk.MakeAsync(form, name)).Require(400);
        (await browser.GetAsync($"{SignUpWalk.Root}/{SignUpWalk.Token}")).Require(400);
        Assert.Contains("Registration token", (await walk.StartAsync()).Body);
        Assert.Equal(0, await sso.CountAsync(name));
    }

    [Fact]
    public async Task A_mail_that_is_read_elsewhere_lets_the_sign_up_go_on_where_it_was_begun()
    {
        var (browser, walk) = New();
        var terms = await walk.PassAsync(await walk.ThroughTokenAsync(), SignUpWalk.Captcha, ("g-recaptcha-response", "good"));
        var wait = await walk.PassAsync(await walk.PassAsync(terms, SignUpWalk.Terms, ("accept", "yes")), SignUpWalk.Email, ("step", "send"), ("address", $"{sso.NewName("far")}@good.example"));
        var elsewhere = sso.NewBrowser();
        var thanks = await OAuthApp.FollowAsync(elsewhere, (await elsewhere.GetAsync((await sso.Mail.NextAsync()).Link.ToString())).Require(302));
        Assert.Contains("Your address is confirmed", thanks.Require(200).Body);
        Assert.False(elsewhere.Cookies.ContainsKey("armada_signup"));
        RequireForm(await walk.PassAsync(wait, SignUpWalk.Email, ("step", "done")));
    }

    [Fact]
    public async Task Stages_take_forms_of_this_server_only()
    {
        var (browser, walk) = New();
        var page = await walk.StartAsync();
        browser.Origin = "https://evil.example";
        (await browser.SubmitAsync(page, $"{SignUpWalk.Root}/{SignUpWalk.Token}", ("token", await sso.NewTokenAsync()))).Require(403);
        browser.Origin = null;
        (await browser.SubmitAsync(page, $"{SignUpWalk.Root}/{SignUpWalk.Token}", ("csrf", "guessed"), ("token", await sso.NewTokenAsync()))).Require(403);
    }

    [Fact]
    public async Task A_sign_up_leads_where_it_was_begun_for_and_never_out_of_this_server()
    {
        var (browser, walk) = New();
        await walk.StartAsync("https://evil.example/");
        var name = sso.NewName("astray");
        Assert.Equal("/_synapse/client/account", (await walk.MakeAsync(await walk.ThroughAllAsync($"{name}@good.example"), name)).Require(303).Location);
    }
}

using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class UiaPageFixture : ThreepidFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config)
    {
        var basis = base.Configure(config);
        return basis with
        {
            Accounts = basis.Accounts with
            {
                RegistrationRequiresToken = true,
                Captcha = new() { AtRegistration = true, PublicKey = "public", PrivateKey = "private", VerifyAddress = $"https://{Identity.Name}/siteverify" },
                Consent = new("1.0", "/nowhere") { AtRegistration = true, PolicyName = "House <rules>" },
                Email = null, MsisdnDelegate = null,
            },
        };
    }
}

public sealed class UiaPageTests(UiaPageFixture api) : IClassFixture<UiaPageFixture>
{
    private const string Register = "/_matrix/client/v3/register";
    internal static string Page(string stage, string session) => $"/_matrix/client/v3/auth/{stage}/fallback/web?session={session}";

    private static void RequireTurn(Answer answer, string completed)
    {
        answer.Require(401, "M_FORBIDDEN");
        Assert.Equal(completed, answer.Body.GetProperty("completed").GetRawText());
        Assert.Equal("""[{"stages":["m.login.registration_token","m.login.recaptcha","m.login.terms"]}]""", answer.Body.GetProperty("flows").GetRawText());
    }

    private Task<Answer> ProveAsync(object auth) => api.PostAsync(null, Register, new { username = api.NewName(), password = "p", auth });

    [Fact]
    public async Task A_registration_is_completed_in_a_browser_stage_by_stage()
    {
        await api.ExecuteAsync("insert into registration_tokens (token, uses_allowed) values ('open-sesame', 1)");
        var begin = await api.PostAsync(null, Register, new { username = api.NewName(), password = "p" });
        Assert.Equal("""[{"stages":["m.login.registration_token","m.login.recaptcha","m.login.terms"]}]""", begin.Body.GetProperty("flows").GetRawText());
        Assert.Equal("public", begin.Body.GetProperty("params").GetProperty("m.login.recaptcha").GetProperty("public_key").GetString());
        Assert.Equal("https://matrix.test.example/_matrix/consent?v=1.0",
            begin.Body.GetProperty("params").GetProperty("m.login.terms").GetProperty("policies").GetProperty("privacy_policy").GetProperty("en").GetProperty("url").GetString());
        var session = begin.Text("session");
        var browser = new TestBrowser(api.Host);

        foreach (var (stage, field, wrong, right) in new[]
        {
            ("m.login.registration_token", "token", "closed", "open-sesame"), ("m.login.recaptcha", "g-recaptcha-response", "bad", "good"), ("m.login.terms", "accept", null, "yes"),
        })
        {
            var page = (await browser.GetAsync(Page(stage, session))).Require(200);
            Assert.Contains("<form method=\"post\">", page.Body);
            Assert.Contains("name=\"viewport\"", page.Body);
            Assert.DoesNotContain("<rules>", page.Body);
            var refused = await (wrong is null ? browser.SubmitAsync(page, Page(stage, session)) : browser.SubmitAsync(page, Page(stage, session), (field, wrong)));
            Assert.Contains("role=\"alert\"", refused.Body);
            Assert.Contains("onAuthDone", (await browser.SubmitAsync(refused, Page(stage, session), (field, right))).Body);
            Assert.Contains("onAuthDone", (await browser.GetAsync(Page(stage, session))).Body);
        }
        (await api.PostAsync(null, Register, new { auth = new { session } })).RequireOk();
        Assert.Equal(1, await api.ScalarAsync("select completed from registration_tokens where token = 'open-sesame'"));
    }

    [Fact]
    public async Task Pages_that_are_none_are_told_as_pages()
    {
        var session = (await api.PostAsync(null, Register, new { username = api.NewName(), password = "p" })).Text("session");
        var browser = new TestBrowser(api.Host);
        (await browser.GetAsync(Page("m.login.nothing", session))).Require(404);
        (await browser.GetAsync(Page("m.login.registration_token", "unknown"))).Require(400);
        (await browser.GetAsync(Page("m.login.registration_token", session))).Require(200);
        api.Clock.Advance(TimeSpan.FromHours(49));
        (await browser.GetAsync(Page("m.login.registration_token", session))).Require(400);
        (await ProveAsync(new { session })).Require(400, "M_UNKNOWN");
    }

    [Fact]
    public async Task Stages_come_in_the_order_of_their_flow()
    {
        await api.ExecuteAsync("insert into registration_tokens (token) values ('in-turn')");
        // In one request, without a session.
        RequireTurn(await ProveAsync(new { type = "m.login.recaptcha", response = "good" }), "[]");
        // What is of no flow may be proved, and counts for nothing.
        var aside = await ProveAsync(new { type = "m.login.dummy" });
        Assert.Equal("""401 ["m.login.dummy"]""", $"{aside.Status} {aside.Body.GetProperty("completed").GetRawText()}");
        RequireTurn(await ProveAsync(new { type = "m.login.terms", session = aside.Text("session") }), """["m.login.dummy"]""");
        Assert.Null((await ProveAsync(new { type = "m.login.registration_token", token = "in-turn", session = aside.Text("session") })).Code);
        var session = (await api.PostAsync(null, Register, new { username = api.NewName(), password = "p" })).Text("session");
        RequireTurn(await ProveAsync(new { type = "m.login.terms", session }), "[]");
        RequireTurn(await ProveAsync(new { type = "m.login.recaptcha", response = "good", session }), "[]");
        var token = new { type = "m.login.registration_token", token = "in-turn", session };
        // Once more does no harm.
        for (var i = 0; i < 2; i++)
        {
            var first = await ProveAsync(token);
            Assert.Equal(401, first.Status);
            Assert.Null(first.Code);
            Assert.Equal("""["m.login.registration_token"]""", first.Body.GetProperty("completed").GetRawText());
        }
        RequireTurn(await ProveAsync(new { type = "m.login.terms", session }), """["m.login.registration_token"]""");
        (await ProveAsync(new { type = "m.login.recaptcha", session })).Require(401, "M_CAPTCHA_NEEDED");
        (await ProveAsync(new { type = "m.login.recaptcha", response = "bad", session })).Require(401, "M_CAPTCHA_INVALID");
        Assert.Equal(401, (await ProveAsync(new { type = "m.login.recaptcha", response = "good", session })).Status);
        (await ProveAsync(new { type = "m.login.terms", session })).RequireOk();
    }

    [Fact]
    public async Task A_page_whose_turn_it_is_not_proves_nothing()
    {
        var session = (await api.PostAsync(null, Register, new { username = api.NewName(), password = "p" })).Text("session");
        var browser = new TestBrowser(api.Host);
        var first = (await browser.GetAsync(Page("m.login.registration_token", session))).Require(200);
        foreach (var stage in (string[])["m.login.terms", "m.login.recaptcha", "m.login.dummy", "m.login.password", "m.login.email.identity", "m.login.msisdn"])
        {
            (await browser.GetAsync(Page(stage, session))).Require(401);
            (await browser.SubmitAsync(first, Page(stage, session), ("accept", "yes"), ("g-recaptcha-response", "good"))).Require(401);
        }
        Assert.False((await ProveAsync(new { session })).Has("completed"));
    }
}

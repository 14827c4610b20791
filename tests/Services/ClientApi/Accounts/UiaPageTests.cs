using Matrix.ServiceDefaults;

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
    private static Uri Page(string stage, string session) => new($"https://x/_matrix/client/v3/auth/{stage}/fallback/web?session={session}");

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

        foreach (var (stage, wrong, right) in new[]
        {
            ("m.login.registration_token", "token=closed", "token=open-sesame"), ("m.login.recaptcha", "g-recaptcha-response=bad", "g-recaptcha-response=good"),
            ("m.login.terms", "", "accept=yes"),
        })
        {
            var page = await api.OpenAsync(Page(stage, session));
            Assert.Equal(200, page.Status);
            Assert.Contains("<form method=\"post\">", page.Html);
            Assert.Contains("name=\"viewport\"", page.Html);
            Assert.DoesNotContain("<rules>", page.Html);
            Assert.Contains("role=\"alert\"", (await api.OpenAsync(Page(stage, session), wrong)).Html);
            Assert.Contains("onAuthDone", (await api.OpenAsync(Page(stage, session), right)).Html);
            Assert.Contains("onAuthDone", (await api.OpenAsync(Page(stage, session))).Html);
        }
        (await api.PostAsync(null, Register, new { auth = new { session } })).RequireOk();
        Assert.Equal(1, await api.ScalarAsync("select completed from registration_tokens where token = 'open-sesame'"));
    }

    [Fact]
    public async Task Pages_that_are_none_are_told_as_pages()
    {
        var session = (await api.PostAsync(null, Register, new { username = api.NewName(), password = "p" })).Text("session");
        Assert.Equal(404, (await api.OpenAsync(Page("m.login.dummy", session))).Status);
        Assert.Equal(404, (await api.OpenAsync(Page("m.login.nothing", session))).Status);
        Assert.Equal(400, (await api.OpenAsync(Page("m.login.terms", "unknown"))).Status);
    }

    [Fact]
    public async Task A_captcha_is_judged_without_a_page_too()
    {
        var good = await api.PostAsync(null, Register, new { username = api.NewName(), password = "p", auth = new { type = "m.login.recaptcha", response = "good" } });
        Assert.Equal(401, good.Status);
        Assert.Equal("""["m.login.recaptcha"]""", good.Body.GetProperty("completed").GetRawText());
        (await api.PostAsync(null, Register, new { username = api.NewName(), password = "p", auth = new { type = "m.login.recaptcha", response = "bad" } })).Require(401, "M_CAPTCHA_INVALID");
        (await api.PostAsync(null, Register, new { username = api.NewName(), password = "p", auth = new { type = "m.login.recaptcha" } })).Require(401, "M_CAPTCHA_NEEDED");
    }
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.OAuth;

namespace Matrix.ServiceTests.Sso;

/// <summary>Terms, an administrator's own pages, rate limits, and providers with other settings.</summary>
public sealed class StrictFixture : SsoFixture
{
    internal ECDsa SigningKey { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    protected override HomeserverConfig Adjust(HomeserverConfig config)
    {
        File.WriteAllText(Path.Combine(Folder, "sso_error.html"), "<style>b{color:red}</style><b>Ours: {{ error_description }}</b> at {{ server_name }}<script>{{ error }}</script>");
        // As Synapse's own pages are made: blocks of the base, styles and scripts included.
        File.WriteAllText(Path.Combine(Folder, "sso_login_idp_picker.html"),
            "{% extends \"_base.html\" %}{% block header %}<style type=\"text/css\">{% include \"own.css\" without context %}</style>{% endblock %}{% block body %}<p>Ours</p><script>{% include 'own.js' %}</script>{% endblock %}");
        File.WriteAllText(Path.Combine(Folder, "own.css"), "p{color:red}");
        File.WriteAllText(Path.Combine(Folder, "own.js"), "go()");
        return config with
        {
            RateLimitsEnabled = true,
            RateLimits = new() { LoginFailedAttempts = new(0.001, 2), LoginAddress = new(100, 1000), LoginAccount = new(100, 1000), Registration = new(100, 1000) },
            Accounts = config.Accounts with { Consent = new("1.0", Folder) { AtRegistration = true } },
            Sso = config.Sso with
            {
                TemplateFolder = Folder,
                Oidc =
                [
                    Oidc.Config("main"),
                    Oidc.Config("plain") with { Scopes = ["profile"], PkceMethod = "never" },
                    Oidc.Config("apple") with
                    {
                        ClientSecret = null, ClientAuthMethod = "client_secret_post",
                        SecretKey = new(SigningKey.ExportECPrivateKeyPem(), new Dictionary<string, string> { ["alg"] = "ES256", ["kid"] = "K" }, new Dictionary<string, string> { ["iss"] = "TEAM" }),
                    },
                    Oidc.Config("confirm") with { Mapping = new() { LocalpartTemplate = "{{ user.preferred_username }}", ConfirmLocalpart = true } },
                ],
            },
        };
    }
}

public sealed class StrictTests(StrictFixture sso) : IClassFixture<StrictFixture>
{
    private static string Redirect(string idp) => $"/_matrix/client/v3/login/sso/redirect/oidc-{idp}?redirectUrl={Uri.EscapeDataString(SsoFixture.Trusted)}";

    private async Task<Visit> ComeBackAsync(TestBrowser browser, string idp, object claims, object? userInfo = null) =>
        await browser.GetAsync(sso.Oidc.Approve((await browser.GetAsync(Redirect(idp))).Require(302).Location!, claims, userInfo: userInfo));

    /// <summary>On the page of the terms: agrees.</summary>
    private static async Task<Visit> AgreeAsync(TestBrowser browser, Visit to)
    {
        var page = (await browser.GetAsync(to.Location!)).Require(200);
        return await browser.SubmitAsync(page, "/_synapse/client/new_user_consent");
    }

    [Fact]
    public async Task A_new_user_agrees_to_the_terms_before_there_is_an_account()
    {
        var name = sso.NewName();
        var browser = sso.NewBrowser();
        var terms = (await ComeBackAsync(browser, "main", new { sub = name, preferred_username = name, email = $"{name}@mail.example" })).Require(302);
        Assert.EndsWith("/new_user_consent", terms.Location);
        // Who goes on without agreeing comes back to the same page.
        Assert.EndsWith("/new_user_consent", (await browser.GetAsync("/_synapse/client/sso_register")).Require(303).Location);
        Assert.Equal(0L, await CountAsync(name));
        (await browser.PostAsync("/_synapse/client/new_user_consent", ("accepted_version", "0.9"))).Require(400);
        browser.Host = sso.Second;
        var done = (await AgreeAsync(browser, terms)).Require(302);
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(done.Location!)).RequireOk().Text("user_id"));
        Assert.Equal("1.0", await sso.Postgres.Source.CreateCommand($"select consent_version from users where user_id = '@{name}:test.example'").ExecuteScalarAsync());
        Assert.Equal(1L, await sso.Postgres.Source.CreateCommand($"select count(*) from user_threepids where address = '{name}@mail.example'").ExecuteScalarAsync());
        // The second time there is nothing to ask.
        Assert.StartsWith(SsoFixture.Trusted, (await ComeBackAsync(sso.NewBrowser(), "main", new { sub = name })).Require(302).Location);
    }

    private Task<object?> CountAsync(string name) => sso.Postgres.Source.CreateCommand($"select count(*) from users where user_id = '@{name}:test.example'").ExecuteScalarAsync();

    [Fact]
    public async Task A_given_name_is_shown_for_confirmation_and_may_be_changed()
    {
        var (given, chosen) = (sso.NewName("given"), sso.NewName("chosen"));
        var browser = sso.NewBrowser();
        var details = (await ComeBackAsync(browser, "confirm", new { sub = given, preferred_username = given })).Require(302);
        var page = (await browser.GetAsync(details.Location!)).Require(200);
        Assert.Contains($"value=\"{given}\"", page.Body);
        var terms = (await browser.SubmitAsync(page, details.Location!, ("username", chosen))).Require(303);
        var done = (await AgreeAsync(browser, terms)).Require(302);
        Assert.Equal($"@{chosen}:test.example", (await sso.LogInAsync(done.Location!)).RequireOk().Text("user_id"));
    }

    [Fact]
    public async Task A_provider_without_openid_is_asked_for_the_user()
    {
        var name = sso.NewName();
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync(Redirect("plain"))).Require(302);
        Assert.DoesNotContain("code_challenge", gone.Location);
        var back = sso.Oidc.Approve(gone.Location!, new { sub = "in no token" }, userInfo: new { sub = name, preferred_username = name });
        // With a form, as response_mode form_post has it, and from the provider's site.
        browser.Origin = sso.Oidc.Address;
        var query = FakeOidcProvider.QueryOf(back);
        var done = (await AgreeAfterAsync(browser, await browser.PostAsync("/_synapse/client/oidc/callback", ("code", query["code"]), ("state", query["state"])))).Require(302);
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(done.Location!)).RequireOk().Text("user_id"));
    }

    private static Task<Visit> AgreeAfterAsync(TestBrowser browser, Visit visit)
    {
        browser.Origin = SsoFixture.PublicBase.TrimEnd('/');
        return AgreeAsync(browser, visit.Require(302));
    }

    [Fact]
    public async Task A_secret_can_be_a_token_that_we_sign()
    {
        var name = sso.NewName();
        (await ComeBackAsync(sso.NewBrowser(), "apple", new { sub = name, preferred_username = name })).Require(302);
        var parts = sso.Oidc.PostedSecret!.Split('.');
        Assert.True(UnpaddedBase64.TryDecodeUrl(parts[2], out var signature));
        Assert.True(sso.SigningKey.VerifyData(Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), signature, HashAlgorithmName.SHA256));
        Assert.True(UnpaddedBase64.TryDecodeUrl(parts[1], out var payload));
        var claims = JsonDocument.Parse(payload).RootElement;
        Assert.Equal(("TEAM", FakeOidcProvider.ClientId, sso.Oidc.Address), (claims.GetProperty("iss").GetString(), claims.GetProperty("sub").GetString(), claims.GetProperty("aud").GetString()));
        Assert.True(UnpaddedBase64.TryDecodeUrl(parts[0], out var header));
        Assert.Equal("""{"alg":"ES256","kid":"K"}""", Encoding.UTF8.GetString(header));
    }

    [Fact]
    public async Task An_administrators_page_takes_the_place_of_ours_and_its_style_works()
    {
        var page = (await sso.NewBrowser().GetAsync("/_synapse/client/oidc/callback?state=forged")).Require(400);
        Assert.StartsWith("<style>b{color:red}</style><b>Ours: ", page.Body);
        var hash = Convert.ToBase64String(SHA256.HashData("b{color:red}"u8));
        Assert.Contains($"style-src 'sha256-{hash}'", page.Header("Content-Security-Policy"));
        // A script that values are put into has no hash: it does not run.
        Assert.Contains("script-src 'none'", page.Header("Content-Security-Policy"));
    }

    [Fact]
    public async Task A_page_may_include_its_style_and_script_and_fill_the_blocks_of_synapses_pages()
    {
        var page = (await sso.NewBrowser().GetAsync("/_synapse/client/pick_idp?redirectUrl=" + Uri.EscapeDataString(SsoFixture.Trusted))).Require(200);
        Assert.Contains("<style type=\"text/css\">p{color:red}</style>", page.Body);
        Assert.Contains("<p>Ours</p><script>go()</script>", page.Body);
        Assert.DoesNotContain("<main", page.Body);
        Assert.Contains($"'sha256-{Convert.ToBase64String(SHA256.HashData("p{color:red}"u8))}'", page.Header("Content-Security-Policy"));
        Assert.Contains($"script-src 'sha256-{Convert.ToBase64String(SHA256.HashData("go()"u8))}'", page.Header("Content-Security-Policy"));
    }

    [Fact]
    public async Task Passwords_and_codes_are_not_guessed_at_our_pages()
    {
        var user = sso.NewName();
        var browser = sso.NewBrowser();
        var page = await OAuthApp.FollowAsync(browser, await browser.GetAsync("/_synapse/client/signup"));
        page = await OAuthApp.FollowAsync(browser, await browser.SubmitAsync(page, "/_synapse/client/signup/m.login.terms", ("accept", "yes")));
        await browser.SubmitAsync(page, "/_synapse/client/signup", ("username", user), ("password", "secret"), ("password_again", "secret"));
        Assert.Equal(1L, await CountAsync(user));
        // Logged in by now.
        for (var i = 0; i < 2; i++) (await browser.GetAsync("/_synapse/client/device?user_code=BBBBBBBB")).Require(200);
        (await browser.GetAsync("/_synapse/client/device?user_code=BBBBBBBB")).Require(429);
        var stranger = sso.NewBrowser();
        page = await stranger.GetAsync("/_synapse/client/login");
        for (var i = 0; i < 2; i++) (await stranger.SubmitAsync(page, "/_synapse/client/login", ("username", user), ("password", "wrong"))).Require(403);
        (await stranger.SubmitAsync(page, "/_synapse/client/login", ("username", user), ("password", "secret"))).Require(429);
    }

    [Fact]
    public async Task Sign_up_asks_for_the_terms()
    {
        var name = sso.NewName();
        var browser = sso.NewBrowser();
        var page = (await OAuthApp.FollowAsync(browser, await browser.GetAsync("/_synapse/client/signup"))).Require(200);
        Assert.Contains("name=\"accept\"", page.Body);
        Assert.Contains("role=\"alert\"", (await browser.SubmitAsync(page, "/_synapse/client/signup/m.login.terms")).Require(200).Body);
        (await browser.SubmitAsync(page, "/_synapse/client/signup", ("username", name), ("password", "secret"), ("password_again", "secret"))).Require(303);
        Assert.Equal(0L, await CountAsync(name));
        var app = await OAuthApp.RegisterAsync(sso);
        (await sso.NewBrowser().GetAsync(app.Authorize("Z", ("prompt", "create")))).Require(303);
    }
}

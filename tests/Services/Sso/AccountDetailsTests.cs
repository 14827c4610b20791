using Matrix.ServiceTests.ClientApi;

namespace Matrix.ServiceTests.Sso;

/// <summary>The page where a new user chooses his name, and what of his profile at the provider he takes over.</summary>
public sealed class AccountDetailsTests(PictureFixture sso) : IClassFixture<PictureFixture>, IAsyncLifetime
{
    private const string Details = "/_synapse/client/pick_username/account_details";
    private LoopbackServer pictures = null!;

    public async ValueTask InitializeAsync() =>
        pictures = await LoopbackServer.StartAsync(context => context.Response.Body.WriteAsync(new byte[] { 0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A }).AsTask());

    public async ValueTask DisposeAsync() => await pictures.DisposeAsync();

    /// <summary>A browser that comes from the provider, and the page that it sees.</summary>
    private async Task<(TestBrowser Browser, Visit Page)> ComeAsync(string name, string? picture = null)
    {
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync($"/_matrix/client/v3/login/sso/redirect/oidc-chooser?redirectUrl={Uri.EscapeDataString(SsoFixture.Trusted)}")).Require(302);
        var claims = new { sub = name, name = "Name of " + name, email = $"{name}@mail.example", picture = picture ?? pictures.Address + "/picture" };
        var back = (await browser.GetAsync(sso.Oidc.Approve(gone.Location!, claims))).Require(302);
        return (browser, (await browser.GetAsync(back.Location!)).Require(200));
    }

    private async Task<(string? Name, string? Avatar, IReadOnlyList<string> Emails)> AccountAsync(Visit done)
    {
        var login = (await sso.LogInAsync(done.Require(302).Location!)).RequireOk();
        var profile = (await sso.JsonAsync(HttpMethod.Get, $"/_matrix/client/v3/profile/{login.Text("user_id")}", login.Text("access_token"))).RequireOk().Body;
        var threepids = (await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/account/3pid", login.Text("access_token"))).RequireOk().Body.GetProperty("threepids");
        return (
            profile.TryGetProperty("displayname", out var name) ? name.GetString() : null, profile.TryGetProperty("avatar_url", out var avatar) ? avatar.GetString() : null,
            [.. threepids.EnumerateArray().Select(t => t.GetProperty("address").GetString()!).Order()]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("use_display_name")]
    [InlineData("use_avatar")]
    [InlineData("use_email")]
    [InlineData("use_display_name use_avatar use_email")]
    public async Task What_the_user_chooses_is_taken_over_and_nothing_else(string chosen)
    {
        var name = sso.NewName("choose");
        var (browser, page) = await ComeAsync(name);
        browser.Host = sso.Second;
        var email = $"{name}@mail.example";
        var fields = chosen.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(f => (f, f == "use_email" ? email : "true"));
        var account = await AccountAsync(await browser.SubmitAsync(page, Details, [("username", name), .. fields]));
        Assert.Equal(chosen.Contains("use_display_name", StringComparison.Ordinal) ? "Name of " + name : name, account.Name);
        Assert.Equal(chosen.Contains("use_avatar", StringComparison.Ordinal), account.Avatar is not null);
        Assert.Equal(chosen.Contains("use_email", StringComparison.Ordinal) ? [email] : [], account.Emails);
    }

    [Fact]
    public async Task Everything_is_offered_with_the_picture_shown_and_works_without_scripts()
    {
        var (_, page) = await ComeAsync(sso.NewName(), "https://pictures.example/a?b=1&c=\"><script>");
        Assert.Contains("<img src=\"https://pictures.example/a?b=1&amp;c=&quot;&gt;&lt;script&gt;\"", page.Body);
        Assert.Contains("img-src 'self' https: data:", page.Header("Content-Security-Policy"));
        Assert.Equal(3, page.Body.Split(" checked>").Length - 1);
        Assert.DoesNotContain("<script", page.Body);
    }

    [Fact]
    public async Task What_was_chosen_stays_when_the_name_must_be_changed()
    {
        var name = sso.NewName();
        var (browser, page) = await ComeAsync(name);
        var again = (await browser.SubmitAsync(page, Details, ("username", "no spaces please"), ("use_display_name", "true"))).Require(400);
        Assert.Contains("name=\"use_display_name\" value=\"true\" checked", again.Body);
        Assert.Contains("name=\"use_avatar\" value=\"true\">", again.Body);
        Assert.Contains($"name=\"use_email\" value=\"{name}@mail.example\">", again.Body);
    }

    /// <summary>Some of the addresses that SAML has given, and one that it has not.</summary>
    [Fact]
    public async Task Of_several_addresses_those_are_taken_that_the_provider_gave_and_the_user_chose()
    {
        var begun = await SamlVisit.BeginAsync(sso);
        var name = sso.NewName("many");
        var (first, second, third) = ($"{name}.a@mail.example", $"{name}.B@mail.example", $"{name}.c@mail.example");
        var response = sso.Saml.Answer(new(begun.RequestId) { Uid = name, UidAttribute = "login", Emails = [first, second, third, first, "no address"] });
        var details = (await begun.PostAsync(response)).Require(302);
        var page = (await begun.Browser.GetAsync(details.Location!)).Require(200);
        Assert.Equal(3, page.Body.Split("name=\"use_email\"").Length - 1);
        begun.Browser.Origin = SsoFixture.PublicBase.TrimEnd('/');
        var account = await AccountAsync(await begun.Browser.SubmitAsync(
            page, Details, ("username", name), ("use_email", third), ("use_email", "president@mail.example"), ("use_email", second)));
        Assert.Equal([second.ToLowerInvariant(), third], account.Emails);
    }
}

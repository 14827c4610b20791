using Matrix.ServiceDefaults;
using Matrix.ServiceTests.ClientApi.Accounts;
using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.OAuth;

/// <summary>A server that wants a token, a captcha, consent and a mail address of everybody who registers.</summary>
public sealed class SignUpFixture : SsoFixture
{
    public MailSink Mail { get; } = new();
    public IdentityServerFake Identity { get; } = IdentityServerFake.StartAsync().GetAwaiter().GetResult();

    protected override HomeserverConfig Adjust(HomeserverConfig config) => config with
    {
        OutboundVerifyCertificates = false,
        Accounts = config.Accounts with
        {
            RegistrationRequiresToken = true,
            RegistrationsRequire3pid = ["email"],
            Captcha = new() { AtRegistration = true, PublicKey = "public", PrivateKey = "private", VerifyAddress = $"https://{Identity.Name}/siteverify" },
            Consent = new("1.0", "/nowhere") { AtRegistration = true },
            Email = new("%(app)s <noreply@test.example>") { Host = "127.0.0.1", Port = Mail.Port, AppName = "Testers" },
        },
    };

    /// <summary>What a token lets in.</summary>
    public async Task<string> NewTokenAsync(int uses = 1)
    {
        var token = NewName("token");
        await Postgres.Source.CreateCommand($"insert into registration_tokens (token, uses_allowed) values ('{token}', {uses})").ExecuteNonQueryAsync();
        return token;
    }

    public async Task<long> CountAsync(string name) =>
        (long)(await Postgres.Source.CreateCommand($"select count(*) from users where user_id like '@{name}%'").ExecuteScalarAsync())!;

    public new async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await Mail.DisposeAsync();
        await Identity.DisposeAsync();
    }
}

/// <summary>Somebody who signs up.</summary>
internal sealed class SignUpWalk(SignUpFixture sso, TestBrowser browser)
{
    public const string Root = "/_synapse/client/signup";
    public const string Token = "m.login.registration_token", Captcha = "m.login.recaptcha", Terms = "m.login.terms", Email = "m.login.email.identity";

    public async Task<Visit> StartAsync(string? next = null) =>
        await OAuthApp.FollowAsync(browser, await browser.GetAsync(next is null ? Root : $"{Root}?next={Uri.EscapeDataString(next)}"));

    /// <summary>Sends the form of a stage and follows.</summary>
    public async Task<Visit> PassAsync(Visit page, string stage, params (string, string)[] fields) =>
        await OAuthApp.FollowAsync(browser, (await browser.SubmitAsync(page, $"{Root}/{stage}", fields)).Require(303));

    public async Task<Visit> ThroughTokenAsync() => await PassAsync(await StartAsync(), Token, ("token", await sso.NewTokenAsync()));

    /// <summary>All stages; the form for name and password.</summary>
    public async Task<Visit> ThroughAllAsync(string address)
    {
        var terms = await PassAsync(await ThroughTokenAsync(), Captcha, ("g-recaptcha-response", "good"));
        await PassAsync(await PassAsync(terms, Terms, ("accept", "yes")), Email, ("step", "send"), ("address", address));
        return await OAuthApp.FollowAsync(browser, await browser.GetAsync((await sso.Mail.NextAsync()).Link.ToString()));
    }

    public Task<Visit> MakeAsync(Visit form, string name, string password = "one") =>
        browser.SubmitAsync(form, Root, ("username", name), ("password", password), ("password_again", password));
}

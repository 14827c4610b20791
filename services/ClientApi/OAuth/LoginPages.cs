using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>Our own login and sign-up pages: password, providers of single sign-on, new accounts.</summary>
internal sealed class LoginPages(
    Pages.Pages pages, PasswordLogin passwords, UserRegistration names, Registration registration, PasswordHasher hasher, PasswordRules rules, RegistrationTokenStore tokens,
    SignUpPolicy policy, SsoProviders providers, WebLogin web, RateLimiter limiter, HomeserverConfig config, TimeProvider clock)
{
    private const string DefaultNext = OwnPaths.Root + "account";

    public IResult ShowLogin(string? next, string? hint, bool again, string? error, Browser browser, int status = 200) => pages.Show("oauth_login.html", new Dictionary<string, object?>
    {
        ["next"] = Next(next),
        ["username"] = hint ?? "",
        ["again"] = again,
        ["error"] = error,
        ["passwords"] = config.Accounts.Passwords.LoginEnabled,
        ["providers"] = providers.All.Select(object? (p) => SsoPages.Describe(p)).ToList(),
        ["signup_url"] = policy.IsOpen && !again ? $"signup?next={Uri.EscapeDataString(Next(next))}" : null,
        ["csrf"] = browser.FormToken(),
    }, status);

    public async Task<IResult> LogInAsync(FormBody form, LoginClient client, Browser browser, CancellationToken ct)
    {
        browser.RequireOwnForm(form);
        var (name, password) = (form["username"]?.Trim() ?? "", form["password"] ?? "");
        if (!config.Accounts.Passwords.LoginEnabled) throw new PageException(403, "M_FORBIDDEN", "Passwords do not log in here.");
        try
        {
            await limiter.RequireAsync(RateLimitRules.LoginAddress, null, client.Address, ct);
            var user = await passwords.AuthenticateAsync(Submission(name, password), ct);
            await limiter.RequireAsync(RateLimitRules.LoginAccount, null, user.Value, ct);
            await web.BeginAsync(user, browser, ct);
        }
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403 or 429)
        {
            return ShowLogin(form["next"], name, false, e.Error.Message, browser, e.Error.Status is 429 ? 429 : 403);
        }
        return new SeeOther(Next(form["next"]));
    }

    public IResult ShowSignUp(string? next, string? username, string? error, Browser browser, int status = 200)
    {
        if (!policy.IsOpen) throw new PageException(403, "M_FORBIDDEN", "New accounts cannot be made on this page.");
        return pages.Show("oauth_signup.html", new Dictionary<string, object?>
        {
            ["next"] = Next(next),
            ["username"] = username ?? "",
            ["error"] = error,
            ["needs_token"] = policy.NeedsToken,
            ["terms_name"] = policy.Terms?.PolicyName,
            ["terms_url"] = policy.Terms is { } terms ? $"/_matrix/consent?v={Uri.EscapeDataString(terms.Version)}" : null,
            ["login_url"] = $"login?next={Uri.EscapeDataString(Next(next))}",
            ["csrf"] = browser.FormToken(),
        }, status);
    }

    public async Task<IResult> SignUpAsync(FormBody form, LoginClient client, Browser browser, CancellationToken ct)
    {
        browser.RequireOwnForm(form);
        if (!policy.IsOpen) throw new PageException(403, "M_FORBIDDEN", "New accounts cannot be made on this page.");
        var (name, password) = (form["username"]?.Trim() ?? "", form["password"] ?? "");
        try
        {
            if (password != form["password_again"]) throw MatrixError.InvalidParam("The two passwords are not the same.").AsException();
            if (policy.Terms is not null && form["terms"] != "true") throw MatrixError.InvalidParam("Please agree to the terms.").AsException();
            rules.Check(password);
            await limiter.RequireLeftAsync(RateLimitRules.Registration, client.Address, ct);
            await names.RequireFreeAsync(name, ct);
            var user = Usernames.Validate(name, config);
            await limiter.RequireAsync(RateLimitRules.Registration, null, client.Address, ct);
            // Registration tokens are counted by the session that shows them.
            var session = RandomNumberGenerator.GetHexString(32);
            if (policy.NeedsToken && !await tokens.UseAsync(session, form["token"] ?? "", clock.GetUtcNow().ToUnixTimeMilliseconds(), ct))
                throw MatrixError.InvalidParam("This registration token is not good.").AsException();
            await registration.RegisterAsync(
                new RegistrationOrder(user, await hasher.HashAsync(password, ct)) { UiaSession = session, ConsentVersion = policy.Terms?.Version }, ct);
            await web.BeginAsync(user, browser, ct);
        }
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403 or 429)
        {
            return ShowSignUp(form["next"], name, e.Error.Message, browser, e.Error.Status is 429 ? 429 : 400);
        }
        return new SeeOther(Next(form["next"]));
    }

    /// <summary>Never out of this server, whatever stands in the address of the page.</summary>
    public string Next(string? next) => OwnPaths.IsOwn(next) ? next! : DefaultNext;

    /// <summary>As a client would have sent it.</summary>
    private static JsonElement Submission(string name, string password)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            w.WriteStartObject("identifier"u8);
            var isEmail = name.IndexOf('@', StringComparison.Ordinal) > 0;
            w.WriteString("type"u8, isEmail ? "m.id.thirdparty" : "m.id.user");
            if (isEmail) w.WriteString("medium"u8, "email");
            w.WriteString(isEmail ? "address"u8 : "user"u8, name);
            w.WriteEndObject();
            w.WriteString("password"u8, password);
            w.WriteEndObject();
        }
        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return document.RootElement.Clone();
    }
}

internal static class LoginPageEndpoints
{
    private const string Root = OwnPaths.Root;

    public static void MapLoginPages(this ClientRoutes routes)
    {
        routes.Map("GET", Root + "login", (string? next, string? hint, string? again, Browser browser, LoginPages login, OAuthAddresses addresses, Pages.Pages pages) =>
            Run(pages, addresses, () => Task.FromResult(login.ShowLogin(next, hint, again is not null, null, browser)))).Anonymous().Named("oauth_login_page");
        routes.Map("POST", Root + "login", (FormBody form, LoginClient client, Browser browser, LoginPages login, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
            Run(pages, addresses, () => login.LogInAsync(form, client, browser, ct))).Anonymous().Named("oauth_login");
        routes.Map("GET", Root + "signup", (string? next, Browser browser, LoginPages login, OAuthAddresses addresses, Pages.Pages pages) =>
            Run(pages, addresses, () => Task.FromResult(login.ShowSignUp(next, null, null, browser)))).Anonymous().Named("oauth_signup_page");
        routes.Map("POST", Root + "signup", (FormBody form, LoginClient client, Browser browser, LoginPages login, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
            Run(pages, addresses, () => login.SignUpAsync(form, client, browser, ct))).Anonymous().Named("oauth_signup");
        routes.Map("GET", Root + "login/sso", BeginSso).Anonymous().Named("oauth_login_sso");
        routes.Map("POST", Root + "logout", (FormBody form, Browser browser, WebLogin web, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
            Run(pages, addresses, async () =>
            {
                browser.RequireOwnForm(form);
                await web.EndAsync(browser, ct);
                return new SeeOther(addresses.Of("login"));
            })).Anonymous().Named("oauth_logout");
    }

    private static Task<IResult> BeginSso(
        string? idp, string? next, HttpRequest request, Browser browser, SsoProviders providers, LoginPages login, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        Run(pages, addresses, async () =>
        {
            var provider = providers.Find(idp ?? "") ?? throw new PageException(404, "M_NOT_FOUND", "There is no such provider here.");
            try
            {
                return new Found(await provider.BeginAsync(new(SsoGoal.Page, login.Next(next)), browser, request.Query, ct));
            }
            catch (ProviderException)
            {
                throw new PageException(502, "provider_error", $"{provider.Label.Name} cannot be reached at the moment.");
            }
        });

    public static Task<IResult> Run(Pages.Pages pages, OAuthAddresses addresses, Func<Task<IResult>> handler)
    {
        addresses.RequireEnabled();
        return pages.GuardAsync(handler);
    }
}

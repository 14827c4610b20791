using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>Our own login page: password, providers of single sign-on.</summary>
internal sealed class LoginPages(
    Pages.Pages pages, PasswordLogin passwords, SignUpPolicy policy, SsoProviders providers, WebLogin web, RateLimiter limiter, HomeserverConfig config)
{
    public IResult ShowLogin(string? next, string? hint, bool again, string? error, Browser browser, int status = 200) => pages.Show("oauth_login.html", new Dictionary<string, object?>
    {
        ["next"] = OwnPaths.OrAccount(next),
        ["username"] = hint ?? "",
        ["again"] = again,
        ["error"] = error,
        ["passwords"] = config.Accounts.Passwords.LoginEnabled,
        ["providers"] = providers.All.Select(object? (p) => SsoPages.Describe(p)).ToList(),
        ["signup_url"] = policy.IsOpen && !again ? $"signup?next={Uri.EscapeDataString(OwnPaths.OrAccount(next))}" : null,
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
            var user = await passwords.AuthenticateAsync(PasswordLogin.Submission(name, password), ct);
            await limiter.RequireAsync(RateLimitRules.LoginAccount, null, user.Value, ct);
            await web.BeginAsync(user, browser, ct);
        }
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403 or 429)
        {
            return ShowLogin(form["next"], name, false, e.Error.Message, browser, e.Error.Status is 429 ? 429 : 403);
        }
        return new SeeOther(OwnPaths.OrAccount(form["next"]));
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
        string? idp, string? next, HttpRequest request, Browser browser, SsoProviders providers, SsoCallbacks callbacks, OAuthAddresses addresses, Pages.Pages pages,
        CancellationToken ct) =>
        Run(pages, addresses, async () =>
        {
            var provider = providers.Find(idp ?? "") ?? throw new PageException(404, "M_NOT_FOUND", "There is no such provider here.");
            return new Found(await callbacks.BeginAsync(provider, new(SsoGoal.Page, OwnPaths.OrAccount(next)), browser, request.Query, ct));
        });

    public static Task<IResult> Run(Pages.Pages pages, OAuthAddresses addresses, Func<Task<IResult>> handler)
    {
        addresses.RequireEnabled();
        return pages.GuardAsync(handler);
    }
}

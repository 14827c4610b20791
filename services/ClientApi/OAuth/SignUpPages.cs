using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>New accounts: one stage after the other on its page, then name and password.</summary>
internal sealed class SignUpPages(
    SignUps signUps, SignUpAccounts accounts, StagePages stages, PasswordLogin passwords, WebLogin web, OAuthAddresses addresses, Pages.Pages pages)
{
    public async Task<IResult> ShowAsync(string? next, LoginClient client, Browser browser, CancellationToken ct)
    {
        signUps.RequireOpen();
        var signUp = await signUps.BeginAsync(next, client, browser, ct);
        return signUps.StageOf(signUp) is { } stage ? new SeeOther(PathOf(stage)) : Form(signUp, null, null, browser);
    }

    public async Task<IResult> ShowStageAsync(string stage, bool confirmed, LoginClient client, Browser browser, CancellationToken ct)
    {
        signUps.RequireOpen();
        if (await signUps.FindAsync(browser, ct) is not { } signUp)
        {
            // The mail was read on another device, or by another program: the sign-up goes on where it was begun.
            if (confirmed) return pages.Show("threepid_validated.html", new Dictionary<string, object?>());
            throw Over();
        }
        return signUps.StageOf(signUp) == stage && signUp.RegisteredUserId is null
            ? await stages.ShowAsync(PageOf(stage), signUp.Session, PlaceOf(signUp, stage, client, browser), ct) : Onward();
    }

    public async Task<IResult> SubmitStageAsync(string stage, FormBody form, LoginClient client, Browser browser, CancellationToken ct)
    {
        browser.RequireOwnForm(form);
        signUps.RequireOpen();
        var signUp = await signUps.FindAsync(browser, ct) ?? throw Over();
        // A page that was left open in the middle of another sign-up, or is done with, proves nothing.
        if (signUps.StageOf(signUp) != stage || signUp.RegisteredUserId is not null || (form["session"] is { } named && named != signUp.Session.SessionId)) return Onward();
        return await stages.SubmitAsync(PageOf(stage), signUp.Session, form, PlaceOf(signUp, stage, client, browser), ct);
    }

    public async Task<IResult> SubmitAsync(FormBody form, LoginClient client, Browser browser, CancellationToken ct)
    {
        browser.RequireOwnForm(form);
        signUps.RequireOpen();
        var signUp = await signUps.FindAsync(browser, ct) ?? throw Over();
        if (signUps.StageOf(signUp) is not null) return Onward();
        var (name, password) = (form["username"]?.Trim() ?? "", form["password"] ?? "");
        try
        {
            if (password != form["password_again"]) throw MatrixError.InvalidParam("The two passwords are not the same.").AsException();
            var user = signUp.RegisteredUserId is null
                ? await accounts.MakeAsync(signUp, name, password, client, ct) : await RepeatedAsync(signUp, name, password, ct);
            await web.BeginAsync(user, browser, ct);
        }
        // Pressed twice: the other press has made the account meanwhile.
        catch (MatrixException e) when (e.Error.Code == "M_USER_IN_USE" && signUp.RegisteredUserId is null)
        {
            if (await signUps.FindAsync(browser, ct) is { RegisteredUserId: not null }) return await SubmitAsync(form, client, browser, ct);
            return Form(signUp, name, e.Error.Message, browser, 400);
        }
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403 or 429)
        {
            return Form(signUp, name, e.Error.Message, browser, e.Error.Status is 429 ? 429 : 400);
        }
        browser.ClearSignUp();
        return new SeeOther(signUp.Next ?? OwnPaths.OrAccount(null));
    }

    /// <summary>A sign-up makes one account. Who comes again with it is that user if he knows the password, and nobody otherwise.</summary>
    private async Task<UserId> RepeatedAsync(SignUp signUp, string name, string password, CancellationToken ct)
    {
        var user = await passwords.AuthenticateAsync(PasswordLogin.Submission(name, password), ct);
        return user.Value == signUp.RegisteredUserId ? user : throw MatrixError.Forbidden("Your account has been made already. Log in to it.").AsException();
    }

    private IResult Form(SignUp signUp, string? username, string? error, Browser browser, int status = 200) => pages.Show("oauth_signup.html", new Dictionary<string, object?>
    {
        ["username"] = username ?? "",
        ["error"] = error,
        ["step"] = signUps.ProgressOf(signUp)?.Step,
        ["steps"] = signUps.ProgressOf(signUp)?.Steps,
        ["login_url"] = $"login?next={Uri.EscapeDataString(signUp.Next ?? OwnPaths.OrAccount(null))}",
        ["csrf"] = browser.FormToken(),
    }, status);

    private StagePlace PlaceOf(SignUp signUp, string stage, LoginClient client, Browser browser) =>
        new(PathOf(stage), $"{OwnPaths.Root}signup/{stage}?confirmed=1", browser.FormToken(), client.Address, Onward) { Progress = signUps.ProgressOf(signUp) };

    private IUiaPage PageOf(string stage) => stages.Find(stage) ?? throw new InvalidOperationException($"The stage {stage} has no page.");

    private string PathOf(string stage) => addresses.Of($"signup/{stage}");

    private SeeOther Onward() => new(addresses.Of("signup"));

    private static PageException Over() =>
        new(400, "invalid_session", "Your sign-up is over, or your browser keeps no cookies. Go back to your app and begin again.");
}

internal static class SignUpEndpoints
{
    private const string Path = OwnPaths.Root + "signup";

    public static void MapSignUp(this ClientRoutes routes)
    {
        routes.Map("GET", Path, (string? next, LoginClient client, Browser browser, SignUpPages signUp, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
            LoginPageEndpoints.Run(pages, addresses, () => signUp.ShowAsync(next, client, browser, ct))).Anonymous().Named("oauth_signup_page");
        routes.Map("POST", Path, (FormBody form, LoginClient client, Browser browser, SignUpPages signUp, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
            LoginPageEndpoints.Run(pages, addresses, () => signUp.SubmitAsync(form, client, browser, ct))).Anonymous().Named("oauth_signup");
        routes.Map("GET", Path + "/{stage}", (string stage, string? confirmed, LoginClient client, Browser browser, SignUpPages signUp, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
            LoginPageEndpoints.Run(pages, addresses, () => signUp.ShowStageAsync(stage, confirmed is not null, client, browser, ct))).Anonymous().Named("oauth_signup_stage_page");
        routes.Map("POST", Path + "/{stage}", (string stage, FormBody form, LoginClient client, Browser browser, SignUpPages signUp, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
            LoginPageEndpoints.Run(pages, addresses, () => signUp.SubmitStageAsync(stage, form, client, browser, ct))).Anonymous().Named("oauth_signup_stage");
    }
}

using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Sso;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Sso;

/// <summary>New users choose a name and agree to the terms. Pages and fields are Synapse's.</summary>
internal static class SsoRegistrationEndpoints
{
    private const string Details = "/_synapse/client/pick_username/account_details";

    public static void MapSsoRegistration(this ClientRoutes routes)
    {
        routes.Map("GET", Details, ShowDetails).Anonymous().Named("sso_account_details");
        routes.Map("POST", Details, SubmitDetails).Anonymous().Named("sso_submit_account_details");
        routes.Map("GET", "/_synapse/client/pick_username/check", Check).Anonymous().Named("sso_check_username");
        routes.Map("GET", "/_synapse/client/new_user_consent", ShowConsent).Anonymous().Named("sso_new_user_consent");
        routes.Map("POST", "/_synapse/client/new_user_consent", SubmitConsent).Anonymous().Named("sso_submit_new_user_consent");
        routes.Map("GET", "/_synapse/client/sso_register", Register).Anonymous().Named("sso_register");
    }

    private static Task<IResult> ShowDetails(Browser browser, SsoSteps steps, SsoProviders providers, SsoPages show, Pages.Pages pages, CancellationToken ct) =>
        pages.GuardAsync(async () =>
        {
            var (_, step) = await FindAsync(browser, steps, ct);
            return show.AccountDetails(Provider(providers, step), step, null, null, browser);
        });

    private static Task<IResult> SubmitDetails(
        FormBody form, Browser browser, SsoSteps steps, SsoProviders providers, SsoPages show, Pages.Pages pages, SsoAccounts accounts,
        SsoRegistrations registrations, CancellationToken ct) =>
        pages.GuardAsync(async () =>
        {
            browser.RequireOwnForm(form);
            var (secret, step) = await FindAsync(browser, steps, ct);
            var username = form["username"] ?? "";
            step = step with
            {
                UseDisplayName = form["use_display_name"] == "true",
                UseAvatar = form["use_avatar"] == "true",
                UseEmails = [.. step.Emails.Intersect(form.Values("use_email"))],
            };
            try
            {
                await accounts.RequireFreeAsync(username, ct);
            }
            catch (MatrixException e)
            {
                return show.AccountDetails(Provider(providers, step), step, username, e.Error.Message, browser);
            }
            step = step with { Username = username };
            await steps.UpdateAsync(secret, step, ct);
            return await registrations.GoOnAsync(secret, step, browser, ct);
        });

    /// <summary>For pages that tell while the user types. Synapse: errors are texts beside <c>available</c>.</summary>
    private static async Task<IResult> Check(string? username, Browser browser, SsoSteps steps, SsoAccounts accounts, CancellationToken ct)
    {
        if (browser.Registration is not { } secret || await steps.FindRegistrationAsync(secret, ct) is null) throw MatrixError.Unknown(400, "missing session_id").AsException();
        try
        {
            await accounts.RequireFreeAsync(username ?? "", ct);
            return MatrixResults.Object(w => w.WriteBoolean("available"u8, true));
        }
        catch (MatrixException e) when (e.Error.Code is "M_USER_IN_USE" or "M_EXCLUSIVE")
        {
            return MatrixResults.Object(w => w.WriteBoolean("available"u8, false));
        }
        catch (MatrixException e)
        {
            return MatrixResults.Object(w => w.WriteString("error"u8, e.Error.Message));
        }
    }

    private static Task<IResult> ShowConsent(Browser browser, SsoSteps steps, SsoPages show, Pages.Pages pages, HomeserverConfig config, CancellationToken ct) =>
        pages.GuardAsync(async () =>
        {
            var (_, step) = await FindAsync(browser, steps, ct);
            return step.Username is { } name
                ? show.Consent(Usernames.Validate(name, config), step, browser) : new SeeOther(show.Address("pick_username/account_details"));
        });

    private static Task<IResult> SubmitConsent(
        FormBody form, Browser browser, SsoSteps steps, SsoRegistrations registrations, SsoPages show, Pages.Pages pages, CancellationToken ct) => pages.GuardAsync(async () =>
        {
            browser.RequireOwnForm(form);
            var (secret, step) = await FindAsync(browser, steps, ct);
            if (form["accepted_version"] != show.TermsVersion) throw new PageException(400, "M_INVALID_PARAM", "The terms have changed meanwhile. Load the page again.");
            step = step with { AcceptedVersion = show.TermsVersion };
            await steps.UpdateAsync(secret, step, ct);
            return await registrations.GoOnAsync(secret, step, browser, ct);
        });

    private static Task<IResult> Register(Browser browser, SsoSteps steps, SsoRegistrations registrations, Pages.Pages pages, CancellationToken ct) => pages.GuardAsync(async () =>
    {
        var (secret, step) = await FindAsync(browser, steps, ct);
        return await registrations.GoOnAsync(secret, step, browser, ct);
    });

    public static async Task<(string Secret, RegistrationStep Step)> FindAsync(Browser browser, SsoSteps steps, CancellationToken ct) =>
        browser.Registration is { } secret && await steps.FindRegistrationAsync(secret, ct) is { } step
            ? (secret, step)
            : throw new PageException(400, "invalid_session", "This registration has expired. Begin it again from your Matrix client.");

    private static ISsoProvider Provider(SsoProviders providers, RegistrationStep step) =>
        providers.Find(step.Provider) ?? throw new PageException(400, "invalid_session", "This provider is not known here any more.");
}

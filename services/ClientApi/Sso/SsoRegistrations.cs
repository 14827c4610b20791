using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso;

/// <summary>Leads a new user from one choice to the next, and makes the account when all are made.</summary>
internal sealed class SsoRegistrations(SsoSteps steps, SsoAccounts accounts, SsoProfiles profiles, SsoLogin login, SsoPages pages)
{
    public async Task<IResult> GoOnAsync(string secret, RegistrationStep step, Browser browser, CancellationToken ct)
    {
        if (step.Username is not { } username) return new SeeOther(pages.Address("pick_username/account_details"));
        if (pages.TermsVersion is { } terms && step.AcceptedVersion != terms) return new SeeOther(pages.Address("new_user_consent"));
        var identity = new SsoIdentity(new ExternalId(step.Provider, step.ExternalId))
        {
            DisplayName = step.UseDisplayName ? step.DisplayName : null,
            Emails = step.UseEmails,
            Picture = step.UseAvatar ? step.Picture : null,
        };
        UserId user;
        try
        {
            user = await accounts.RegisterAsync(username, identity, step.AcceptedVersion, ct);
        }
        catch (MatrixException e) when (e.Error.Code is "M_USER_IN_USE" or "M_INVALID_USERNAME" or "M_EXCLUSIVE")
        {
            // Somebody was quicker.
            await steps.UpdateAsync(secret, step with { Username = null }, ct);
            return new SeeOther(pages.Address("pick_username/account_details"));
        }
        await steps.EndRegistrationAsync(secret, ct);
        browser.ClearRegistration();
        await profiles.UpdateAsync(user, identity, ct);
        return await login.FinishAsync(user, step.Provider, step.Session, step.Target, browser, isNew: true, ct);
    }
}

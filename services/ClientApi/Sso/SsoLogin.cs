using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso;

/// <summary>What happens once a provider has proved somebody: an account is found or made, and the target gets what it wanted.</summary>
internal sealed class SsoLogin(
    SsoAccounts accounts, SsoProfiles profiles, SsoSteps steps, SsoUiaResults uia, LoginTokenStore tokens, WebSessionStore sessions, SsoPages pages)
{
    /// <param name="mustConfirm">Nothing says that this browser wanted to log in: the user is asked, whatever the client.</param>
    public async Task<IResult> CompleteAsync(ISsoProvider provider, SsoIdentity identity, SsoTarget target, Browser browser, CancellationToken ct, bool mustConfirm = false)
    {
        var found = await accounts.FindAsync(identity, ct);
        if (target.Goal == SsoGoal.Uia) return await uia.CompleteAsync(target.Value, found, ct);
        if (found is { } known && profiles.FollowProviders)
        {
            await accounts.RequireOpenAsync(known, ct);
            await profiles.UpdateAsync(known, identity, ct);
        }
        if (found is { } user) return await FinishAsync(user, identity.Id.AuthProvider, identity.Session, target, browser, isNew: false, ct, mustConfirm);
        if (!provider.EnableRegistration)
            throw new PageException(403, "mapping_error", "You have no account here, and new ones are not made for people who come from this provider.");
        if (identity.Localpart(0) is { Length: > 0 } && !identity.ConfirmLocalpart && pages.TermsVersion is null)
        {
            var made = await accounts.RegisterMappedAsync(identity, ct);
            await profiles.UpdateAsync(made, identity, ct);
            return await FinishAsync(made, identity.Id.AuthProvider, identity.Session, target, browser, isNew: true, ct, mustConfirm);
        }
        var emails = identity.Emails.Where(e => Threepids.Canonical(Threepids.Email, e) is not null).ToList();
        var secret = await steps.CreateAsync(new RegistrationStep(identity.Id.AuthProvider, identity.Id.Id, target.Goal, target.Value)
        {
            Localpart = identity.Localpart(0),
            DisplayName = identity.DisplayName,
            Emails = emails,
            UseEmails = emails,
            Picture = identity.Picture,
            Session = identity.Session,
            Username = identity.ConfirmLocalpart ? null : identity.Localpart(0) is { Length: > 0 } given ? given : null,
        }, ct);
        browser.SetRegistration(secret, SsoSteps.RegistrationTime);
        return new Found(pages.Address(identity.Localpart(0) is { Length: > 0 } && !identity.ConfirmLocalpart ? "new_user_consent" : "pick_username/account_details"));
    }

    /// <summary>Hands over what the target wanted: a login token for a client, a session for our own pages.</summary>
    public async Task<IResult> FinishAsync(
        UserId user, string authProvider, string? providerSession, SsoTarget target, Browser browser, bool isNew, CancellationToken ct, bool mustConfirm = false)
    {
        await accounts.RequireOpenAsync(user, ct);
        if (target.Goal == SsoGoal.Page)
        {
            browser.SetWebSession(await sessions.CreateAsync(user.Value, ct));
            return new SeeOther(OwnPaths.Require(target.Value));
        }
        var token = await tokens.CreateAsync(new LoginToken(user.Value, authProvider, providerSession), LoginTokenStore.DefaultLifetime, ct);
        return await pages.ToClientAsync(ClientAddresses.Require(target.Value), token, user, isNew, mustConfirm, ct);
    }
}

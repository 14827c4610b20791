using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso;

/// <summary>Finds and makes the accounts of identities.</summary>
internal sealed class SsoAccounts(
    ExternalIdStore links, AccountStore accounts, Registration registration, UserRegistration names, HomeserverConfig config, TimeProvider clock)
{
    /// <summary>Names that are tried for a new account before the user is told that none is free.</summary>
    private const int MaxAttempts = 100;

    /// <summary>The account of an identity; one that existed before is linked when the provider's settings say so. Null: none.</summary>
    public async Task<UserId?> FindAsync(SsoIdentity identity, CancellationToken ct)
    {
        if (await links.FindAsync(identity.Id, ct) is { } linked) return new UserId(linked);
        if (identity.ExistingLocalpart is not { Length: > 0 } localpart) return null;
        var wanted = UserId.Of(localpart, config.ServerName).Value;
        if (await accounts.FindForLoginAsync(wanted, wanted.ToLowerInvariant(), ct) is not { } existing) return null;
        return new UserId(await links.LinkAsync(identity.Id, existing.UserId, ct));
    }

    /// <summary>Makes an account with the name that the provider's settings give; the next number is added while a name is taken.</summary>
    public async Task<UserId> RegisterMappedAsync(SsoIdentity identity, CancellationToken ct)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var localpart = identity.Localpart(attempt);
            if (localpart is null) break;
            try
            {
                return await RegisterAsync(localpart, identity, null, ct);
            }
            catch (MatrixException e) when (e.Error.Code is "M_USER_IN_USE" or "M_EXCLUSIVE")
            {
                // Taken, or somebody was quicker: the next name.
            }
            catch (MatrixException e) when (e.Error.Code == "M_INVALID_USERNAME")
            {
                throw new PageException(500, "mapping_error", $"The name that the provider gave cannot be a user name here: {e.Message}");
            }
        }
        throw new PageException(500, "mapping_error", "No free user name could be found for you. Ask the people who run this server.");
    }

    /// <summary>The user of a localpart that can be had; M_USER_IN_USE, M_EXCLUSIVE, M_INVALID_USERNAME as registration has them.</summary>
    public async Task<UserId> RequireFreeAsync(string localpart, CancellationToken ct)
    {
        await names.RequireFreeAsync(localpart, ct);
        return Usernames.Validate(localpart, config);
    }

    /// <summary>Errors as <see cref="RequireFreeAsync"/>.</summary>
    public async Task<UserId> RegisterAsync(string localpart, SsoIdentity identity, string? consentVersion, CancellationToken ct)
    {
        var user = await RequireFreeAsync(localpart, ct);
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        await registration.RegisterAsync(new RegistrationOrder(user, null)
        {
            DisplayName = identity.DisplayName,
            ExternalId = identity.Id,
            ConsentVersion = consentVersion,
            // The provider vouches for them.
            Addresses = [.. identity.Emails.Select(e => Threepids.Canonical(Threepids.Email, e)).OfType<string>().Distinct().Select(e => new ProvedAddress(Threepids.Email, e, now))],
        }, ct);
        return user;
    }

    /// <summary>The account can be logged in to; otherwise a page says why not.</summary>
    public async Task RequireOpenAsync(UserId user, CancellationToken ct)
    {
        var account = await accounts.FindForLoginAsync(user.Value, user.Value, ct);
        if (account is null or { Deactivated: true }) throw new PageException(403, "M_USER_DEACTIVATED", "This account was deactivated and cannot be used any more.");
        if (account.Locked) throw new PageException(403, "M_USER_LOCKED", "This account has been locked.");
    }
}

using System.Security.Cryptography;
using Matrix.ClientApi.AutoJoining;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Sso;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Account;

/// <summary>What a new account is to be. <c>PasswordHash</c> null: no password login; <c>Device</c> null: no login yet.</summary>
internal sealed record RegistrationOrder(UserId User, string? PasswordHash)
{
    public bool IsAdmin { get; init; }
    public string? UserType { get; init; }
    public string? DisplayName { get; init; }
    public (string Id, string? Name)? Device { get; init; }
    /// <summary>The client knows how to refresh its token.</summary>
    public bool Refreshable { get; init; }
    public string? UiaSession { get; init; }
    public string? ConsentVersion { get; init; }
    public IReadOnlyList<ProvedAddress> Addresses { get; init; } = [];
    public string? AppServiceId { get; init; }
    /// <summary>Who the user is at a provider of single sign-on; null: nobody.</summary>
    public ExternalId? ExternalId { get; init; }
}

/// <summary>Creates accounts: one statement, one round trip.</summary>
internal sealed class Registration(
    AccountStore accounts, TokenIssuer issuer, IStreamPublisher publisher, UsageGate usage, AutoJoins joins, HomeserverConfig config, TimeProvider clock)
{
    public Task<bool> IsTakenAsync(UserId user, CancellationToken ct) => accounts.ExistsAsync(user.Value, ct);

    /// <summary>The session (null without a device); M_USER_IN_USE when the name is taken.</summary>
    public async Task<Session?> RegisterAsync(RegistrationOrder order, CancellationToken ct) =>
        await TryRegisterAsync(order, isGuest: false, ct) is { } done ? done.Session : throw MatrixError.UserInUse().AsException();

    /// <summary>A guest with a number for a name.</summary>
    public async Task<Session> RegisterGuestAsync(string? deviceDisplayName, CancellationToken ct)
    {
        while (true)
        {
            var order = new RegistrationOrder(NewNumericUser(), null) { Device = (DeviceIds.New(), deviceDisplayName) };
            if (await TryRegisterAsync(order, isGuest: true, ct) is { Session: { } session }) return session;
        }
    }

    /// <summary>The guest becomes a user with a password; what he was in stays his. Synapse: guest_access_token of a registration.</summary>
    public async Task UpgradeGuestAsync(UserId guest, string passwordHash, string? consentVersion, CancellationToken ct)
    {
        var (now, time) = (clock.GetUtcNow().ToUnixTimeMilliseconds(), joins.TimeFor(false, null, null, consentVersion));
        await publisher.PublishAllAsync(
            await accounts.UpgradeGuestAsync(guest.Value, passwordHash, consentVersion, time, now, ct) ?? throw MatrixError.UserInUse().AsException());
        if (time is AutoJoinTime.AtOnce) await joins.RunAsync(guest);
    }

    /// <summary>Whether an account that was made earlier may still be logged in to.</summary>
    public async Task<bool> IsOpenAsync(UserId user, CancellationToken ct) =>
        await accounts.FindForLoginAsync(user.Value, user.Value, ct) is { Deactivated: false, Locked: false };

    /// <summary>Random, not counted: two instances need no agreement, and the id tells nothing about how many there are.</summary>
    public UserId NewNumericUser() => UserId.Of(RandomNumberGenerator.GetString("0123456789", 12), config.ServerName);

    private sealed record Done(Session? Session);

    /// <summary>Null: the name is taken.</summary>
    private async Task<Done?> TryRegisterAsync(RegistrationOrder order, bool isGuest, CancellationToken ct)
    {
        if (order is { AppServiceId: null, IsAdmin: false }) await usage.RequireForNewAsync(isGuest, order.Addresses, ct);
        var now = clock.GetUtcNow();
        var session = order.Device is { } device ? new Session(order.User, device.Id, issuer.ForLogin(order.User, order.Refreshable)) : null;
        var autoJoin = joins.TimeFor(isGuest, order.AppServiceId, order.UserType, order.ConsentVersion);
        var batches = await accounts.RegisterAsync(new NewAccount
        {
            UserId = order.User.Value,
            PasswordHash = order.PasswordHash,
            IsAdmin = order.IsAdmin,
            IsGuest = isGuest,
            AppServiceId = order.AppServiceId,
            UserType = order.UserType,
            // Synapse: the localpart is the first display name; guests have none.
            DisplayName = isGuest ? null : order.DisplayName ?? order.User.Localpart.ToString(),
            DeviceId = order.Device?.Id,
            DeviceDisplayName = order.Device?.Name,
            Tokens = session?.Tokens.Stored,
            UiaSession = order.UiaSession,
            ExternalId = order.ExternalId,
            ExpiresTsMs = (now + config.Accounts.AccountValidity)?.ToUnixTimeMilliseconds(),
            ConsentVersion = order.ConsentVersion,
            Addresses = order.Addresses,
            AutoJoin = autoJoin,
        }, now.ToUnixTimeMilliseconds(), ct);
        if (batches is null) return null;
        await publisher.PublishAllAsync(batches);
        if (autoJoin is AutoJoinTime.AtOnce) await joins.RunAsync(order.User);
        return new Done(session);
    }
}

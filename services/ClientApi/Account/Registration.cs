using System.Security.Cryptography;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
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
    public string? UiaSession { get; init; }
}

/// <summary>Creates accounts: one statement, one round trip.</summary>
internal sealed class Registration(AccountStore accounts, IStreamPublisher publisher, HomeserverConfig config, TimeProvider clock)
{
    public Task<bool> IsTakenAsync(UserId user, CancellationToken ct) => accounts.ExistsAsync(user.Value, ct);

    /// <summary>The access token (null without a device); M_USER_IN_USE when the name is taken.</summary>
    public async Task<string?> RegisterAsync(RegistrationOrder order, CancellationToken ct) =>
        await TryRegisterAsync(order, isGuest: false, ct) is { } token ? token.Value : throw MatrixError.UserInUse().AsException();

    /// <summary>A guest with a number for a name.</summary>
    public async Task<Session> RegisterGuestAsync(string? deviceDisplayName, CancellationToken ct)
    {
        while (true)
        {
            var user = NewNumericUser();
            var device = DeviceIds.New();
            var token = await TryRegisterAsync(new RegistrationOrder(user, null) { Device = (device, deviceDisplayName) }, isGuest: true, ct);
            if (token is not null) return new Session(user, device, token.Value.Value!);
        }
    }

    /// <summary>The guest becomes a user with a password; what he was in stays his. Synapse: guest_access_token of a registration.</summary>
    public async Task UpgradeGuestAsync(UserId guest, string passwordHash, CancellationToken ct) =>
        await publisher.PublishAllAsync(await accounts.UpgradeGuestAsync(guest.Value, passwordHash, ct) ?? throw MatrixError.UserInUse().AsException());

    /// <summary>Whether an account that was made earlier may still be logged in to.</summary>
    public async Task<bool> IsOpenAsync(UserId user, CancellationToken ct) =>
        await accounts.FindForLoginAsync(user.Value, user.Value, ct) is { Deactivated: false, Locked: false };

    /// <summary>Random, not counted: two instances need no agreement, and the id tells nothing about how many there are.</summary>
    public UserId NewNumericUser() => UserId.Of(RandomNumberGenerator.GetString("0123456789", 12), config.ServerName);

    private readonly record struct IssuedToken(string? Value);

    private async Task<IssuedToken?> TryRegisterAsync(RegistrationOrder order, bool isGuest, CancellationToken ct)
    {
        var token = order.Device is null ? null : AccessTokens.New(order.User);
        var batches = await accounts.RegisterAsync(new NewAccount
        {
            UserId = order.User.Value,
            PasswordHash = order.PasswordHash,
            IsAdmin = order.IsAdmin,
            IsGuest = isGuest,
            UserType = order.UserType,
            // Synapse: the localpart is the first display name; guests have none.
            DisplayName = isGuest ? null : order.DisplayName ?? order.User.Localpart.ToString(),
            DeviceId = order.Device?.Id,
            DeviceDisplayName = order.Device?.Name,
            TokenHash = token is null ? null : AccessTokenStore.Hash(token),
            UiaSession = order.UiaSession,
        }, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        if (batches is null) return null;
        await publisher.PublishAllAsync(batches);
        return new IssuedToken(token);
    }
}

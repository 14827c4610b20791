using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Account;

/// <summary>A device with its new token.</summary>
internal sealed record Session(UserId User, string DeviceId, string Token);

/// <summary>Begins and ends sessions: a session is a device and its access token.</summary>
internal sealed class Sessions(AccountStore accounts, DeviceStore devices, IStreamPublisher publisher, TimeProvider clock)
{
    public async Task<Session> LogInAsync(UserId user, string deviceId, string? displayName, CancellationToken ct)
    {
        var token = AccessTokens.New(user);
        var batches = await accounts.LogInAsync(
            user.Value, deviceId, displayName, AccessTokenStore.Hash(token), clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        await publisher.PublishAllAsync(batches);
        return new Session(user, deviceId, token);
    }

    /// <summary>Removes these devices with all that hangs on them; null: every device of the user.</summary>
    public async Task LogOutAsync(UserId user, IReadOnlyCollection<string>? deviceIds, CancellationToken ct) =>
        await publisher.PublishAllAsync(await devices.DeleteAsync(user.Value, deviceIds, ct));
}

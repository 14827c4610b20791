using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Account;

/// <summary>A device with its new tokens.</summary>
internal sealed record Session(UserId User, string DeviceId, NewTokens Tokens)
{
    public string Token => Tokens.AccessToken;
}

/// <summary>Begins, renews and ends sessions: a session is a device and its tokens.</summary>
internal sealed class Sessions(
    AccountStore accounts, DeviceStore devices, RefreshTokenStore refreshTokens, TokenIssuer issuer, IStreamPublisher publisher, UsageGate usage, TimeProvider clock)
{
    /// <param name="refreshable">The client knows how to refresh.</param>
    /// <param name="isProof">The user has proved who he is, which counts with this device for some time (<c>ui_auth.session_timeout</c>).</param>
    public async Task<Session> LogInAsync(
        UserId user, string deviceId, string? displayName, CancellationToken ct, bool refreshable = false, bool isProof = false)
    {
        await usage.RequireAsync(user, ct);
        await RequireNoKeyAsync(user, deviceId, ct);
        var tokens = issuer.ForLogin(user, refreshable);
        await publisher.PublishAllAsync(
            await accounts.LogInAsync(user.Value, deviceId, displayName, tokens.Stored, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct, isProof));
        return new Session(user, deviceId, tokens);
    }

    /// <summary>M_FORBIDDEN for a device that is called as one of the user's cross-signing keys. Spec: client-server-api/#post_matrixclientv3login</summary>
    public async Task RequireNoKeyAsync(UserId user, string deviceId, CancellationToken ct)
    {
        if (await devices.IsKeyAsync(user.Value, deviceId, ct)) throw MatrixError.Forbidden("A cross-signing key has the name of that device.").AsException();
    }

    /// <summary>Next tokens for a refresh token; M_UNKNOWN_TOKEN when it is none any more.</summary>
    public async Task<NewTokens> RefreshAsync(string refreshToken, CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        NewTokens? next = null;
        var batches = await refreshTokens.RefreshAsync(AccessTokenStore.Hash(refreshToken), now, old =>
        {
            if (old.Deactivated) throw MatrixError.UnknownToken().AsException();
            if (old.Locked) throw AccountErrors.Locked.AsException();
            // The device is kept: its owner logs in again, and goes on with what it holds.
            if (old.ExpiresTsMs <= now || old.SessionExpiresTsMs <= now) throw MatrixError.UnknownToken(softLogout: true).AsException();
            next = issuer.ForRefresh(new UserId(old.UserId), old.SessionExpiresTsMs);
            return next.Stored;
        }, ct);
        if (batches is null || next is null) throw MatrixError.UnknownToken().AsException();
        await publisher.PublishAllAsync(batches);
        return next;
    }

    /// <summary>Removes these devices with all that hangs on them; null: every device of the user.</summary>
    public async Task LogOutAsync(UserId user, IReadOnlyCollection<string>? deviceIds, CancellationToken ct) =>
        await publisher.PublishAllAsync(await devices.DeleteAsync(user.Value, deviceIds, ct));
}

using Matrix.Storage.Sso;
using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Accounts;

/// <summary>An account to create, with its first login unless <see cref="DeviceId"/> is null.</summary>
public sealed record NewAccount
{
    public required string UserId { get; init; }
    /// <summary>Null: no password login.</summary>
    public string? PasswordHash { get; init; }
    public bool IsAdmin { get; init; }
    public bool IsGuest { get; init; }
    public string? AppServiceId { get; init; }
    public string? UserType { get; init; }
    /// <summary>First display name of the profile; null: no profile row.</summary>
    public string? DisplayName { get; init; }
    public string? DeviceId { get; init; }
    public string? DeviceDisplayName { get; init; }
    /// <summary>Given when <see cref="DeviceId"/> is.</summary>
    public IssuedTokens? Tokens { get; init; }
    /// <summary>
    /// Interactive-auth session that this registration completes: its request becomes <c>{"registered_user_id": ...}</c>, and a registration token
    /// that it has shown counts as used.
    /// </summary>
    public string? UiaSession { get; init; }
    /// <summary>Null: for ever.</summary>
    public long? ExpiresTsMs { get; init; }
    /// <summary>Version of the policy that was agreed to.</summary>
    public string? ConsentVersion { get; init; }
    /// <summary>Addresses that were proved; one that belongs to somebody else by now is left with him.</summary>
    public IReadOnlyList<ProvedAddress> Addresses { get; init; } = [];
    /// <summary>Who the user is at a provider of single sign-on; null: nobody.</summary>
    public ExternalId? ExternalId { get; init; }
    public AutoJoinTime AutoJoin { get; init; }
}

/// <summary>An address that somebody has shown to be his.</summary>
/// <param name="Medium">email or msisdn.</param>
public sealed record ProvedAddress(string Medium, string Address, long ValidatedTsMs);

/// <summary>What a login needs to know of an account.</summary>
public sealed record LoginRecord(string UserId, string? PasswordHash, bool Deactivated, bool Locked, long? ExpiresTsMs);

/// <summary>Accounts: users with their first device, passwords, deactivation. Every write is one statement.</summary>
public sealed partial class AccountStore(Database database)
{
    /// <summary>What to publish; null when the user id is taken (nothing was written then).</summary>
    public async Task<IReadOnlyList<StreamBatch>?> RegisterAsync(NewAccount account, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRegister);
        var p = command.Parameters;
        p.AddWithValue(account.UserId);
        p.Add(StoreParameters.Text(account.PasswordHash));
        p.AddWithValue(nowMs);
        p.AddWithValue(account.IsAdmin);
        p.AddWithValue(account.IsGuest);
        p.Add(StoreParameters.Text(account.AppServiceId));
        p.Add(StoreParameters.Text(account.UserType));
        p.Add(StoreParameters.Text(account.DisplayName));
        p.Add(StoreParameters.Text(account.DeviceId));
        p.Add(StoreParameters.Text(account.DeviceDisplayName));
        IssuedTokens.Add(p, account.Tokens);
        p.Add(StoreParameters.Text(account.UiaSession));
        p.Add(StoreParameters.BigInt(account.ExpiresTsMs));
        p.Add(StoreParameters.Text(account.ConsentVersion));
        p.AddWithValue(account.Addresses.Select(a => a.Medium).ToArray());
        p.AddWithValue(account.Addresses.Select(a => a.Address).ToArray());
        p.AddWithValue(account.Addresses.Select(a => a.ValidatedTsMs).ToArray());
        p.Add(StoreParameters.Text(account.ExternalId?.AuthProvider));
        p.Add(StoreParameters.Text(account.ExternalId?.Id));
        p.AddWithValue(account.AutoJoin != AutoJoinTime.Never);
        p.AddWithValue(account.AutoJoin == AutoJoinTime.AfterConsent);
        var batches = await ReadAsync(command, ct);
        return batches.Count == 0 ? null : batches;
    }

    public async Task<bool> ExistsAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlExists);
        command.Parameters.AddWithValue(userId);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>The account with this id, else the one with the id in lower case; null: none.</summary>
    public async Task<LoginRecord?> FindForLoginAsync(string userId, string lowerUserId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFindForLogin);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(lowerUserId);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct)
            ? new(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.GetBoolean(2), r.GetBoolean(3), r.IsDBNull(4) ? null : r.GetInt64(4))
            : null;
    }

    /// <summary>Adds the device unless it exists and gives it these tokens alone.</summary>
    /// <param name="isProof">Who logs in has proved who he is.</param>
    public async Task<IReadOnlyList<StreamBatch>> LogInAsync(
        string userId, string deviceId, string? displayName, IssuedTokens tokens, long nowMs, CancellationToken ct, bool isProof = false)
    {
        await using var command = database.Source.CreateCommand(SqlLogIn);
        var p = command.Parameters;
        p.AddWithValue(userId);
        p.AddWithValue(deviceId);
        p.Add(StoreParameters.Text(displayName));
        p.AddWithValue(nowMs);
        p.AddWithValue(new DeviceListRow(deviceId).Encode());
        IssuedTokens.Add(p, tokens);
        p.Add(StoreParameters.BigInt(isProof ? nowMs : null));
        return await ReadAsync(command, ct);
    }

    /// <summary>Sets the password; with <paramref name="logOutOthers"/> every device but <paramref name="keepDeviceId"/> is removed.</summary>
    public async Task<IReadOnlyList<StreamBatch>> SetPasswordAsync(
        string userId, string passwordHash, string? keepDeviceId, bool logOutOthers, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSetPassword);
        var p = command.Parameters;
        p.AddWithValue(userId);
        p.AddWithValue(passwordHash);
        p.Add(StoreParameters.Text(keepDeviceId));
        p.AddWithValue(logOutOthers);
        p.AddWithValue(new DeviceListRow(null).Encode());
        return await ReadAsync(command, ct);
    }

    /// <summary>Replaces the hash of a password by another of the same; does nothing when the password was changed meanwhile.</summary>
    public async Task RehashAsync(string userId, string oldHash, string newHash, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRehash);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(oldHash);
        command.Parameters.AddWithValue(newHash);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Makes a full account of a guest's; null when there is no such guest.</summary>
    /// <param name="consentVersion">Of the policy that he has agreed to now; null: what he agreed to before stands.</param>
    public async Task<IReadOnlyList<StreamBatch>?> UpgradeGuestAsync(
        string userId, string passwordHash, string? consentVersion, AutoJoinTime autoJoin, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUpgradeGuest);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(passwordHash);
        command.Parameters.AddWithValue(autoJoin != AutoJoinTime.Never);
        command.Parameters.AddWithValue(autoJoin == AutoJoinTime.AfterConsent);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.Add(StoreParameters.Text(consentVersion));
        var batches = await ReadAsync(command, ct);
        return batches.Count == 0 ? null : batches;
    }

    /// <summary>Ends the account: no password, no devices, no tokens, no pushers, no account data. Its rooms are the caller's to leave.</summary>
    public async Task<IReadOnlyList<StreamBatch>> DeactivateAsync(string userId, bool erase, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDeactivate);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(erase);
        command.Parameters.AddWithValue(new DeviceListRow(null).Encode());
        command.Parameters.AddWithValue(nowMs);
        return await ReadAsync(command, ct);
    }

    private static async Task<List<StreamBatch>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }
}

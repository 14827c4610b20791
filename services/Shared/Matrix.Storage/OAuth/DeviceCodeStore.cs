using Matrix.Storage.Sso;

namespace Matrix.Storage.OAuth;

/// <summary>A device that waits for its user.</summary>
/// <param name="UserId">Who has agreed; null: nobody yet.</param>
/// <param name="PolledTsMs">When it asked the time before this; 0: never.</param>
public sealed record DeviceCode(string ClientId, string Scope, string? UserId, bool Denied, bool Expired, long PolledTsMs);

/// <summary>Codes of the device authorization grant (RFC 8628). Codes are stored hashed.</summary>
public sealed class DeviceCodeStore(Database database, TimeProvider clock)
{
    /// <summary>How long an expired code is remembered: its device is to hear that it has expired, not that there is none.</summary>
    private static readonly TimeSpan ExpiredKept = TimeSpan.FromHours(1);

    internal const string SqlCreate =
        """
        with old as (delete from oauth_device_codes where device_code_hash in (
            select device_code_hash from oauth_device_codes where expires_ts_ms < $6 limit 100))
        insert into oauth_device_codes (device_code_hash, user_code_hash, client_id, scope, expires_ts_ms) values ($1, $2, $3, $4, $5)
        on conflict (user_code_hash) do nothing
        """;
    internal const string SqlFind =
        """
        select client_id, scope, user_id, denied, expires_ts_ms <= $2, polled_ts_ms from oauth_device_codes
        where user_code_hash = $1 and user_id is null and not denied and expires_ts_ms > $2
        """;
    internal const string SqlDecide =
        """
        update oauth_device_codes set user_id = $2, denied = $3
        where user_code_hash = $1 and user_id is null and not denied and expires_ts_ms > $4
        """;
    internal const string SqlPoll =
        """
        with before as (select device_code_hash, polled_ts_ms from oauth_device_codes where device_code_hash = $1 for update)
        update oauth_device_codes c set polled_ts_ms = $2 from before b where c.device_code_hash = b.device_code_hash
        returning c.client_id, c.scope, c.user_id, c.denied, c.expires_ts_ms <= $2, b.polled_ts_ms
        """;
    internal const string SqlTake = "delete from oauth_device_codes where device_code_hash = $1 and user_id is not null and not denied returning 1";

    /// <summary>False: another device has this user code at the moment.</summary>
    public async Task<bool> CreateAsync(string deviceCode, string userCode, string clientId, string scope, TimeSpan lifetime, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await using var command = database.Source.CreateCommand(SqlCreate);
        var p = command.Parameters;
        p.AddWithValue(PendingStepStore.Hash(deviceCode));
        p.AddWithValue(PendingStepStore.Hash(userCode));
        p.AddWithValue(clientId);
        p.AddWithValue(scope);
        p.AddWithValue((now + lifetime).ToUnixTimeMilliseconds());
        p.AddWithValue((now - ExpiredKept).ToUnixTimeMilliseconds());
        return await command.ExecuteNonQueryAsync(ct) > 0;
    }

    /// <summary>What waits under a user code; null: nothing.</summary>
    public Task<DeviceCode?> FindAsync(string userCode, CancellationToken ct) => ReadAsync(SqlFind, userCode, ct);

    /// <summary>The user agrees, or (null) does not. False: nothing waits under this code any more.</summary>
    public async Task<bool> DecideAsync(string userCode, string? userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDecide);
        command.Parameters.AddWithValue(PendingStepStore.Hash(userCode));
        command.Parameters.Add(StoreParameters.Text(userId));
        command.Parameters.AddWithValue(userId is null);
        command.Parameters.AddWithValue(clock.GetUtcNow().ToUnixTimeMilliseconds());
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    /// <summary>How it stands, for the device that asks; null: unknown.</summary>
    public Task<DeviceCode?> PollAsync(string deviceCode, CancellationToken ct) => ReadAsync(SqlPoll, deviceCode, ct);

    /// <summary>Takes what was agreed to; false: somebody else has taken it.</summary>
    public async Task<bool> TakeAsync(string deviceCode, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlTake);
        command.Parameters.AddWithValue(PendingStepStore.Hash(deviceCode));
        return await command.ExecuteScalarAsync(ct) is not null;
    }

    private async Task<DeviceCode?> ReadAsync(string sql, string code, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(PendingStepStore.Hash(code));
        command.Parameters.AddWithValue(clock.GetUtcNow().ToUnixTimeMilliseconds());
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct)
            ? new(r.GetString(0), r.GetString(1), r.IsDBNull(2) ? null : r.GetString(2), r.GetBoolean(3), r.GetBoolean(4), r.GetInt64(5)) : null;
    }
}

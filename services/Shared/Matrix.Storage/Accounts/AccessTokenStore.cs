using System.Security.Cryptography;
using System.Text;
using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Accounts;

/// <summary>What a token stands for. A missing row yields null: the token is unknown.</summary>
public sealed record AccessTokenRecord(
    string UserId, string DeviceId, long? ExpiresTsMs, bool IsAdmin, bool IsGuest, bool Deactivated, bool Locked, bool Suspended, string? AppServiceId)
{
    public bool ShadowBanned { get; init; }
    /// <summary>When the account ends; null: never.</summary>
    public long? AccountExpiresTsMs { get; init; }
    /// <summary>It came with a refresh token and nobody has used it yet: <see cref="AccessTokenStore.MarkUsedAsync"/>.</summary>
    public bool IsFresh { get; init; }
    public RateOverride? RateOverride { get; init; }
    /// <summary>Of the policy that the user agreed to; null: none.</summary>
    public string? ConsentVersion { get; init; }
    public string? UserType { get; init; }
}

/// <summary>What an administrator allows a user in the place of rc_message; 0 and 0: everything.</summary>
public sealed record RateOverride(int MessagesPerSecond, int BurstCount);

/// <summary>Access tokens, stored as SHA-256 of their text.</summary>
public sealed class AccessTokenStore(Database database)
{
    internal const string SqlFind =
        """
        select t.user_id, t.device_id, t.expires_ts_ms, u.is_admin, u.is_guest, u.deactivated, u.locked, u.suspended, u.appservice_id,
            u.shadow_banned, u.expires_ts_ms, t.refresh_hash is not null and not t.used, o.messages_per_second, o.burst_count,
            u.consent_version, u.user_type
        from access_tokens t join users u using (user_id) left join ratelimit_overrides o using (user_id) where t.token_hash = $1
        """;
    internal const string SqlInsert =
        "insert into access_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms) values ($1, $2, $3, $4, $5)";
    internal const string SqlDelete = "delete from access_tokens where token_hash = $1";
    internal const string SqlDeleteOfDevice = "delete from access_tokens where user_id = $1 and device_id = $2 returning token_hash";
    internal const string SqlDeleteOfUser = "delete from access_tokens where user_id = $1 returning token_hash, device_id";

    /// <remarks>The client has the new tokens: those before them have served.</remarks>
    internal const string SqlMarkUsed =
        """
        with first as (update access_tokens set used = true where token_hash = $1 and not used returning refresh_hash),
        gone as (delete from refresh_tokens r using first f where r.next_hash = f.refresh_hash returning r.token_hash),
        gone_tokens as (delete from access_tokens a using gone g where a.refresh_hash = g.token_hash returning a.token_hash),
        stream_input as (
            select 'caches'::text as stream, 'token:' || encode(t.token_hash, 'hex') as key, ''::bytea as payload from gone_tokens t)
        """ + StreamStatement.Tail;

    public static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));

    public async Task<AccessTokenRecord?> FindAsync(byte[] tokenHash, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(tokenHash);
        await using var r = await command.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct)) return null;
        return new(r.GetString(0), r.GetString(1), r.IsDBNull(2) ? null : r.GetInt64(2), r.GetBoolean(3), r.GetBoolean(4), r.GetBoolean(5),
            r.GetBoolean(6), r.GetBoolean(7), r.IsDBNull(8) ? null : r.GetString(8))
        {
            ShadowBanned = r.GetBoolean(9),
            AccountExpiresTsMs = r.IsDBNull(10) ? null : r.GetInt64(10),
            IsFresh = r.GetBoolean(11),
            RateOverride = r.IsDBNull(12) ? null : new(r.GetInt32(12), r.GetInt32(13)),
            ConsentVersion = r.IsDBNull(14) ? null : r.GetString(14),
            UserType = r.IsDBNull(15) ? null : r.GetString(15),
        };
    }

    public static async Task InsertAsync(NpgsqlTransaction tx, byte[] tokenHash, string userId, string deviceId, long nowMs, long? expiresTsMs, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SqlInsert, tx.Connection, tx);
        command.Parameters.AddWithValue(tokenHash);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue((object?)expiresTsMs ?? DBNull.Value);
        await command.ExecuteNonQueryAsync(ct);
    }

    public static async Task DeleteAsync(NpgsqlTransaction tx, byte[] tokenHash, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SqlDelete, tx.Connection, tx);
        command.Parameters.AddWithValue(tokenHash);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>An access token that came with a refresh token is used for the first time.</summary>
    public async Task<IReadOnlyList<StreamBatch>> MarkUsedAsync(byte[] accessHash, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMarkUsed);
        command.Parameters.AddWithValue(accessHash);
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }

    /// <summary>Hashes of the tokens that were removed: the keys to invalidate.</summary>
    public static async Task<List<byte[]>> DeleteOfDeviceAsync(NpgsqlTransaction tx, string userId, string deviceId, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SqlDeleteOfDevice, tx.Connection, tx);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        return await HashesAsync(command, ct);
    }

    public static async Task<List<byte[]>> DeleteOfUserAsync(NpgsqlTransaction tx, string userId, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SqlDeleteOfUser, tx.Connection, tx);
        command.Parameters.AddWithValue(userId);
        return await HashesAsync(command, ct);
    }

    private static async Task<List<byte[]>> HashesAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var hashes = new List<byte[]>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) hashes.Add(r.GetFieldValue<byte[]>(0));
        return hashes;
    }
}

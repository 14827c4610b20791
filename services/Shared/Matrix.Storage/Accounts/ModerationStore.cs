using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Accounts;

/// <summary>State of an account, as an administrator sees it.</summary>
public sealed record AccountStateRecord(string UserId, bool IsAdmin, bool Deactivated, bool Locked, bool Suspended, bool ShadowBanned, long? ExpiresTsMs);

/// <summary>A device and where it was last seen.</summary>
public sealed record ConnectionRecord(string DeviceId, string? Ip, long? LastSeenTsMs, string? UserAgent);

/// <summary>What administrators do to accounts. Each change invalidates what instances know of the user's tokens.</summary>
public sealed class ModerationStore(Database database)
{
    private const string Announce =
        """
        , stream_input as (
            select 'caches'::text as stream, 'user:' || c.user_id as key, ''::bytea as payload from changed c
            union all select 'user_directory', c.user_id, ''::bytea from changed c)
        """ + StreamStatement.Tail;
    internal const string SqlFind =
        "select user_id, is_admin, deactivated, locked, suspended, shadow_banned, expires_ts_ms from users where user_id = $1";
    internal const string SqlLock = "with changed as (update users set locked = $2 where user_id = $1 returning user_id)" + Announce;
    internal const string SqlSuspend = "with changed as (update users set suspended = $2 where user_id = $1 returning user_id)" + Announce;
    internal const string SqlShadowBan = "with changed as (update users set shadow_banned = $2 where user_id = $1 returning user_id)" + Announce;
    internal const string SqlExpire = "with changed as (update users set expires_ts_ms = $2 where user_id = $1 returning user_id)" + Announce;
    internal const string SqlOverride =
        """
        with changed as (
            insert into ratelimit_overrides (user_id, messages_per_second, burst_count) values ($1, $2, $3)
            on conflict (user_id) do update set messages_per_second = excluded.messages_per_second, burst_count = excluded.burst_count returning user_id)
        """ + Announce;
    internal const string SqlRemoveOverride = "with changed as (delete from ratelimit_overrides where user_id = $1 returning user_id)" + Announce;
    internal const string SqlFindOverride = "select messages_per_second, burst_count from ratelimit_overrides where user_id = $1";
    internal const string SqlConnections =
        "select device_id, last_seen_ip, last_seen_ts_ms, last_seen_user_agent from devices where user_id = $1 order by device_id";

    /// <summary>Null: there is no such account.</summary>
    public async Task<AccountStateRecord?> FindAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct)
            ? new(r.GetString(0), r.GetBoolean(1), r.GetBoolean(2), r.GetBoolean(3), r.GetBoolean(4), r.GetBoolean(5), r.IsDBNull(6) ? null : r.GetInt64(6))
            : null;
    }

    public Task<IReadOnlyList<StreamBatch>> SetLockedAsync(string userId, bool locked, CancellationToken ct) => SetAsync(SqlLock, userId, locked, ct);
    public Task<IReadOnlyList<StreamBatch>> SetSuspendedAsync(string userId, bool suspended, CancellationToken ct) => SetAsync(SqlSuspend, userId, suspended, ct);
    public Task<IReadOnlyList<StreamBatch>> SetShadowBannedAsync(string userId, bool banned, CancellationToken ct) => SetAsync(SqlShadowBan, userId, banned, ct);

    /// <param name="expiresTsMs">Null: never.</param>
    public async Task<IReadOnlyList<StreamBatch>> SetExpiryAsync(string userId, long? expiresTsMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlExpire);
        command.Parameters.AddWithValue(userId);
        command.Parameters.Add(StoreParameters.BigInt(expiresTsMs));
        return await ReadAsync(command, ct);
    }

    /// <param name="limit">Null: the usual limits.</param>
    public async Task<IReadOnlyList<StreamBatch>> SetOverrideAsync(string userId, RateOverride? limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(limit is null ? SqlRemoveOverride : SqlOverride);
        command.Parameters.AddWithValue(userId);
        if (limit is not null)
        {
            command.Parameters.AddWithValue(limit.MessagesPerSecond);
            command.Parameters.AddWithValue(limit.BurstCount);
        }
        return await ReadAsync(command, ct);
    }

    /// <summary>Null: the usual limits.</summary>
    public async Task<RateOverride?> FindOverrideAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFindOverride);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? new(r.GetInt32(0), r.GetInt32(1)) : null;
    }

    public async Task<List<ConnectionRecord>> ConnectionsAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlConnections);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        var list = new List<ConnectionRecord>();
        while (await r.ReadAsync(ct))
            list.Add(new(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.IsDBNull(2) ? null : r.GetInt64(2), r.IsDBNull(3) ? null : r.GetString(3)));
        return list;
    }

    private async Task<IReadOnlyList<StreamBatch>> SetAsync(string sql, string userId, bool value, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(value);
        return await ReadAsync(command, ct);
    }

    private static async Task<IReadOnlyList<StreamBatch>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }
}

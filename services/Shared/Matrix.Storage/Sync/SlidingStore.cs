using Npgsql;

namespace Matrix.Storage.Sync;

/// <summary>A version of a connection's state as it was stored.</summary>
public sealed record SlidingVersion(string UserId, string DeviceId, byte[] State);

/// <summary>
/// Connections of sliding sync (tables sliding_connections and sliding_states): opaque states by connection and version. A connection keeps the version
/// that a request came with and the newest that were made of it, since a client may give a request up and repeat it; older ones are unknown.
/// </summary>
public sealed class SlidingStore(Database database)
{
    /// <summary>Connections that a device may have; the least recently used one beyond that goes.</summary>
    public const int MaxConnections = 20;

    internal const string SqlFind =
        """
        select c.user_id, c.device_id, s.state from sliding_states s join sliding_connections c using (conn_nid) where s.conn_nid = $1 and s.version = $2
        """;
    // A connection that begins anew gets a new number: positions of the one before are unknown from then on.
    internal const string SqlEnd =
        """
        delete from sliding_connections where conn_nid in (
            select conn_nid from sliding_connections where user_id = $1 and device_id = $2 and conn_id = $3
            union all
            (select conn_nid from sliding_connections where user_id = $1 and device_id = $2 and conn_id <> $3 order by last_used_ts_ms desc, conn_nid desc
             offset $4))
        """;
    internal const string SqlBegin =
        """
        with c as (
            insert into sliding_connections (user_id, device_id, conn_id, last_version, last_used_ts_ms) values ($1, $2, $3, 1, $4)
            on conflict (user_id, device_id, conn_id) do update set last_version = sliding_connections.last_version + 1, last_used_ts_ms = $4
            returning conn_nid, last_version)
        insert into sliding_states (conn_nid, version, state) select conn_nid, last_version, $5 from c returning conn_nid, version
        """;
    // Nothing is built on a version that is gone.
    internal const string SqlPut =
        """
        with c as (
            update sliding_connections set last_version = last_version + 1, last_used_ts_ms = $3
            where conn_nid = $1 and exists (select 1 from sliding_states where conn_nid = $1 and version = $2) returning conn_nid, last_version),
        gone as (
            delete from sliding_states s using c where s.conn_nid = c.conn_nid and s.version <> $2 and (s.version < $2 or s.version < c.last_version - 4))
        insert into sliding_states (conn_nid, version, state) select conn_nid, last_version, $4 from c returning version
        """;
    internal const string SqlPrune =
        "delete from sliding_connections where conn_nid in (select conn_nid from sliding_connections where last_used_ts_ms < $1 limit 1000)";

    /// <summary>Null: there is none, or not any more.</summary>
    public async Task<SlidingVersion?> FindAsync(long connNid, long version, CancellationToken ct)
    {
        await using var command = Command(SqlFind, connNid, version);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? new(r.GetString(0), r.GetString(1), r.GetFieldValue<byte[]>(2)) : null;
    }

    /// <summary>A new connection in place of the one of that name, with its first version.</summary>
    public async Task<(long ConnNid, long Version)> BeginAsync(string userId, string deviceId, string connId, byte[] state, long nowMs, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using var batch = new NpgsqlBatch(connection, transaction);
        batch.BatchCommands.Add(Part(SqlEnd, userId, deviceId, connId, (long)(MaxConnections - 1)));
        batch.BatchCommands.Add(Part(SqlBegin, userId, deviceId, connId, nowMs, state));
        (long, long) made;
        await using (var r = await batch.ExecuteReaderAsync(ct))
        {
            await r.ReadAsync(ct);
            made = (r.GetInt64(0), r.GetInt64(1));
        }
        await transaction.CommitAsync(ct);
        return made;
    }

    /// <summary>The next version, made from <paramref name="basedOn"/>; those before that one go. Null: it is unknown, or the connection has ended.</summary>
    public async Task<long?> PutAsync(long connNid, long basedOn, byte[] state, long nowMs, CancellationToken ct)
    {
        await using var command = Command(SqlPut, connNid, basedOn, nowMs, state);
        return await command.ExecuteScalarAsync(ct) is long version ? version : null;
    }

    /// <summary>Ends some of the connections that nothing was written for since; how many.</summary>
    public async Task<int> PruneAsync(long beforeTsMs, CancellationToken ct)
    {
        await using var command = Command(SqlPrune, beforeTsMs);
        return await command.ExecuteNonQueryAsync(ct);
    }

    private NpgsqlCommand Command(string sql, params ReadOnlySpan<object> parameters)
    {
        var command = database.Source.CreateCommand(sql);
        foreach (var p in parameters) command.Parameters.AddWithValue(p);
        return command;
    }

    private static NpgsqlBatchCommand Part(string sql, params ReadOnlySpan<object> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var p in parameters) command.Parameters.AddWithValue(p);
        return command;
    }
}

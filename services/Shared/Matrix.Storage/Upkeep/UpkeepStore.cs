using Matrix.Replication;
using Npgsql;

namespace Matrix.Storage.Upkeep;

/// <summary>Deletes what has served its time, in portions that hold no lock for long.</summary>
public sealed class UpkeepStore(Database database)
{
    internal const string SqlExpiredTokens =
        """
        delete from access_tokens where ctid = any(array(
            select ctid from access_tokens where expires_ts_ms < $1 limit $2)) and expires_ts_ms < $1
        """;
    internal const string SqlRefreshTokens =
        "delete from refresh_tokens where ctid = any(array(select ctid from refresh_tokens where expires_ts_ms < $1 limit $2)) and expires_ts_ms < $1";
    internal const string SqlThreepidSessions =
        "delete from threepid_sessions where ctid = any(array(select ctid from threepid_sessions where expires_ts_ms < $1 limit $2)) and expires_ts_ms < $1";
    internal const string SqlEventTxns =
        "delete from event_txns where ctid = any(array(select ctid from event_txns where created_ts_ms < $1 limit $2)) and created_ts_ms < $1";
    internal const string SqlClientTxns =
        "delete from client_txns where ctid = any(array(select ctid from client_txns where created_ts_ms < $1 limit $2)) and created_ts_ms < $1";
    internal const string SqlNonces =
        "delete from registration_nonces where ctid = any(array(select ctid from registration_nonces where created_ts_ms < $1 limit $2)) and created_ts_ms < $1";
    internal const string SqlUiaSessions =
        "delete from uia_sessions where ctid = any(array(select ctid from uia_sessions where created_ts_ms < $1 limit $2)) and created_ts_ms < $1";
    internal const string SqlStaleInstances = "delete from instances where heartbeat < now() - $1::interval";
    internal const string SqlStaleLeases = "delete from leases where expires < now() - $1::interval";

    /// <summary>Marks: where the streams were at a time. They stand among the saved positions, under names that no reader has.</summary>
    internal const string SqlMark =
        """
        insert into stream_cursors (reader, stream, pos) select 'mark:' || $1::bigint, stream, pos from stream_counters
        on conflict (reader, stream) do nothing
        """;
    internal const string SqlMarks =
        "select distinct substr(reader, 6)::bigint from stream_cursors where reader like 'mark:%' order by 1";
    internal const string SqlPrunable =
        """
        select m.stream, least(m.pos, coalesce((select min(c.pos) from stream_cursors c where c.stream = m.stream and c.reader not like 'mark:%'), m.pos))
        from stream_cursors m where m.reader = 'mark:' || $1::bigint and m.stream <> 'events' order by m.stream
        """;
    internal const string SqlForgetMarks = "delete from stream_cursors where reader like 'mark:%' and substr(reader, 6)::bigint < $1";
    internal const string SqlNextPortion =
        "select max(pos) from (select pos from stream_rows where stream = $1 and pos <= $2 order by pos limit $3) as portion";
    internal const string SqlRetain =
        """
        insert into stream_retained (stream, min_pos) values ($1, $2)
        on conflict (stream) do update set min_pos = greatest(stream_retained.min_pos, excluded.min_pos)
        """;
    internal const string SqlPrune = "delete from stream_rows where stream = $1 and pos <= $2";

    public Task<int> DeleteExpiredTokensAsync(long beforeMs, int limit, CancellationToken ct) => DeleteAsync(SqlExpiredTokens, beforeMs, limit, ct);
    public Task<int> DeleteRefreshTokensAsync(long beforeMs, int limit, CancellationToken ct) => DeleteAsync(SqlRefreshTokens, beforeMs, limit, ct);
    public Task<int> DeleteThreepidSessionsAsync(long beforeMs, int limit, CancellationToken ct) => DeleteAsync(SqlThreepidSessions, beforeMs, limit, ct);
    public Task<int> DeleteEventTxnsAsync(long beforeMs, int limit, CancellationToken ct) => DeleteAsync(SqlEventTxns, beforeMs, limit, ct);
    public Task<int> DeleteClientTxnsAsync(long beforeMs, int limit, CancellationToken ct) => DeleteAsync(SqlClientTxns, beforeMs, limit, ct);
    public Task<int> DeleteNoncesAsync(long beforeMs, int limit, CancellationToken ct) => DeleteAsync(SqlNonces, beforeMs, limit, ct);
    public Task<int> DeleteUiaSessionsAsync(long beforeMs, int limit, CancellationToken ct) => DeleteAsync(SqlUiaSessions, beforeMs, limit, ct);

    private async Task<int> DeleteAsync(string sql, long beforeMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(beforeMs);
        command.Parameters.AddWithValue(limit);
        return await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Instances and leases whose owners are long gone; by the clock of the database, which wrote them.</summary>
    public async Task<int> DeleteStaleInstancesAsync(TimeSpan age, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlStaleInstances) { Parameters = { new() { Value = age } } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlStaleLeases) { Parameters = { new() { Value = age } } });
        return await batch.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Notes where all streams are now.</summary>
    public async Task MarkAsync(long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMark);
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Times of the marks, ascending.</summary>
    public async Task<List<long>> MarksAsync(CancellationToken ct)
    {
        var marks = new List<long>();
        await using var command = database.Source.CreateCommand(SqlMarks);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) marks.Add(r.GetInt64(0));
        return marks;
    }

    public async Task ForgetMarksAsync(long beforeMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlForgetMarks);
        command.Parameters.AddWithValue(beforeMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>For each stream, up to where its rows may go: the mark, but never past a reader that has not come so far.</summary>
    public async Task<List<(StreamDefinition Stream, long UpTo)>> PrunableAsync(long markMs, CancellationToken ct)
    {
        var prunable = new List<(StreamDefinition, long)>();
        await using var command = database.Source.CreateCommand(SqlPrunable);
        command.Parameters.AddWithValue(markMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) if (Replication.Streams.Find(r.GetString(0)) is { } stream) prunable.Add((stream, r.GetInt64(1)));
        return prunable;
    }

    /// <summary>
    /// Removes the oldest rows, about <paramref name="limit"/> of them, at most up to a position; 0 when there are none left. What is retained is
    /// said in the same transaction.
    /// </summary>
    public async Task<int> PruneAsync(StreamDefinition stream, long upTo, int limit, CancellationToken ct)
    {
        await using var portion = database.Source.CreateCommand(SqlNextPortion);
        portion.Parameters.AddWithValue(stream.Name);
        portion.Parameters.AddWithValue(upTo);
        portion.Parameters.AddWithValue(limit);
        if (await portion.ExecuteScalarAsync(ct) is not long last) return 0;
        return await database.InTransactionAsync(async tx =>
        {
            await using var batch = new NpgsqlBatch(tx.Connection, tx);
            batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlRetain) { Parameters = { new() { Value = stream.Name }, new() { Value = last } } });
            batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlPrune) { Parameters = { new() { Value = stream.Name }, new() { Value = last } } });
            return await batch.ExecuteNonQueryAsync(ct) - 1;
        }, ct);
    }
}

using Matrix.Storage.Streams;
using Npgsql;
using static Matrix.Storage.StoreParameters;

namespace Matrix.Storage.DelayedEvents;

/// <summary>
/// Delayed events. Who sends one claims it first; a claim that is over may be taken by another, and the transaction of the send keeps that from sending it
/// twice.
/// </summary>
public sealed class DelayedEventStore(Database database)
{
    /// <summary>Key in the stream of caches: whoever knows when the next one is due must ask again.</summary>
    public const string NextKey = "delayed_events:next";
    private const string Columns =
        "delay_id, user_id, room_id, type, state_key, content, origin_ts_ms, delay_ms, scheduled_ts_ms, finalised_ts_ms, event_id, error";
    private const string Open = "finalised_ts_ms is null and claimed_until_ms <= $3";

    // $1 is the id of a new one. Another request of the same transaction may have been first.
    internal const string SqlAdd =
        """
        with added as (
            insert into delayed_events (delay_id, user_id, device_id, txn_id, room_id, type, state_key, content, origin_ts_ms, delay_ms, scheduled_ts_ms, send_ts_ms)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11::bigint + $10::bigint)
            on conflict (user_id, device_id, room_id, txn_id) do nothing returning send_ts_ms),
        stream_input as (
            select 'caches'::text as stream, '
        """ + NextKey + """
        ' as key, ''::bytea as payload from added a where not exists (
                select 1 from delayed_events d where d.finalised_ts_ms is null and d.claimed_until_ms <= $11 and d.send_ts_ms <= a.send_ts_ms))
        """ + StreamStatement.Tail;
    internal const string SqlAdded = "select delay_id from delayed_events where user_id = $1 and device_id = $2 and room_id = $3 and txn_id = $4";
    internal const string SqlNext =
        "select send_ts_ms from delayed_events where finalised_ts_ms is null and claimed_until_ms <= $1 order by send_ts_ms limit 1";
    internal const string SqlLoad = "select count(*), min(send_ts_ms) from delayed_events where user_id = $1 and finalised_ts_ms is null";
    internal const string SqlFind = "select " + Columns + " from delayed_events where delay_id = $1 and user_id = $2";
    internal const string SqlScheduled = "select " + Columns + " from delayed_events where user_id = $1 and finalised_ts_ms is null order by send_ts_ms, delay_id";
    internal const string SqlCancel = "update delayed_events set finalised_ts_ms = $3 where delay_id = $1 and user_id = $2 and " + Open;
    internal const string SqlRestart =
        "update delayed_events set scheduled_ts_ms = $3, send_ts_ms = $3 + delay_ms where delay_id = $1 and user_id = $2 and " + Open;
    internal const string SqlClaim = "update delayed_events set claimed_until_ms = $4 where delay_id = $1 and user_id = $2 and " + Open + " returning " + Columns;
    internal const string SqlClaimDue =
        """
        update delayed_events set claimed_until_ms = $2 where delay_id in (
            select delay_id from delayed_events where finalised_ts_ms is null and send_ts_ms <= $1 and claimed_until_ms <= $1
            order by send_ts_ms limit $3 for update skip locked)
        returning
        """ + " " + Columns;
    internal const string SqlRelease =
        """
        with released as (update delayed_events set claimed_until_ms = 0 where delay_id = $1 and finalised_ts_ms is null returning delay_id, send_ts_ms),
        stream_input as (
            select 'caches'::text as stream, '
        """ + NextKey + """
        ' as key, ''::bytea as payload from released r where $2 and not exists (
                select 1 from delayed_events d
                where d.finalised_ts_ms is null and d.claimed_until_ms <= $3 and d.send_ts_ms <= r.send_ts_ms and d.delay_id <> r.delay_id))
        """ + StreamStatement.Tail;
    internal const string SqlFinalise =
        "update delayed_events set finalised_ts_ms = $2, event_id = $3, error = $4 where delay_id = $1 and finalised_ts_ms is null";
    internal const string SqlForget =
        "delete from delayed_events where ctid = any(array(select ctid from delayed_events where finalised_ts_ms < $1 limit $2)) and finalised_ts_ms < $1";

    /// <summary>
    /// Its id: the new one, or that of the event which the same transaction scheduled before. To be published: whether it is due before all others, for those who
    /// sleep until the next one.
    /// </summary>
    public async Task<(string Id, IReadOnlyList<StreamBatch> Told)> AddAsync(DelayedEvent e, string deviceId, string txnId, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlAdd)
        {
            Parameters =
            {
                Text(e.DelayId), Text(e.UserId), Text(deviceId), Text(txnId), Text(e.RoomId), Text(e.Type), Text(e.StateKey), new() { Value = e.Content },
                BigInt(e.OriginTsMs), BigInt(e.DelayMs), BigInt(e.ScheduledTsMs),
            },
        });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlAdded) { Parameters = { Text(e.UserId), Text(deviceId), Text(e.RoomId), Text(txnId) } });
        await using var r = await batch.ExecuteReaderAsync(ct);
        var told = await StreamStatement.ReadAsync(r, ct);
        await r.NextResultAsync(ct);
        await r.ReadAsync(ct);
        return (r.GetString(0), told);
    }

    /// <summary>When the next one is due that nobody has claimed; null: there is none.</summary>
    public async Task<long?> NextAsync(long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlNext);
        command.Parameters.AddWithValue(nowMs);
        return await command.ExecuteScalarAsync(ct) is long at ? at : null;
    }

    /// <summary>How many events the user has scheduled, and when the first of them is due.</summary>
    public async Task<(long Count, long? NextTsMs)> LoadAsync(string userId, CancellationToken ct)
    {
        await using var command = Command(SqlLoad, userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        await r.ReadAsync(ct);
        return (r.GetInt64(0), r.IsDBNull(1) ? null : r.GetInt64(1));
    }

    /// <summary>Null: that user has no such event.</summary>
    public async Task<DelayedEvent?> FindAsync(string delayId, string userId, CancellationToken ct)
    {
        await using var command = Command(SqlFind, delayId, userId);
        return (await ReadAsync(command, ct)).FirstOrDefault();
    }

    /// <summary>Events of a user that are still scheduled, next one first.</summary>
    public async Task<List<DelayedEvent>> ScheduledAsync(string userId, CancellationToken ct)
    {
        await using var command = Command(SqlScheduled, userId);
        return await ReadAsync(command, ct);
    }

    /// <summary>Never to be sent. Cancelling again is done as well.</summary>
    public async Task<DelayedChange> CancelAsync(string delayId, string userId, long nowMs, CancellationToken ct) =>
        await ChangeAsync(SqlCancel, delayId, userId, nowMs, ct) is var result && result == DelayedChange.Cancelled ? DelayedChange.Done : result;

    /// <summary>To be sent its whole delay from now.</summary>
    public Task<DelayedChange> RestartAsync(string delayId, string userId, long nowMs, CancellationToken ct) => ChangeAsync(SqlRestart, delayId, userId, nowMs, ct);

    private async Task<DelayedChange> ChangeAsync(string sql, string delayId, string userId, long nowMs, CancellationToken ct)
    {
        await using var command = Command(sql, delayId, userId);
        command.Parameters.AddWithValue(nowMs);
        if (await command.ExecuteNonQueryAsync(ct) == 1) return DelayedChange.Done;
        return await WhyNotAsync(delayId, userId, ct);
    }

    private async Task<DelayedChange> WhyNotAsync(string delayId, string userId, CancellationToken ct) => await FindAsync(delayId, userId, ct) switch
    {
        null => DelayedChange.Unknown,
        { FinalisedTsMs: not null, EventId: null } => DelayedChange.Cancelled,
        _ => DelayedChange.Sent,
    };

    /// <summary>For sending one now; null with the reason when it is not open.</summary>
    public async Task<(DelayedEvent? Event, DelayedChange Reason)> ClaimAsync(string delayId, string userId, long nowMs, long untilMs, CancellationToken ct)
    {
        await using var command = Command(SqlClaim, delayId, userId);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(untilMs);
        if ((await ReadAsync(command, ct)).FirstOrDefault() is { } claimed) return (claimed, DelayedChange.Done);
        return (null, await WhyNotAsync(delayId, userId, ct));
    }

    /// <summary>Events whose time has come, earliest first.</summary>
    public async Task<List<DelayedEvent>> ClaimDueAsync(long nowMs, long untilMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlClaimDue);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(untilMs);
        command.Parameters.AddWithValue(limit);
        var due = await ReadAsync(command, ct);
        due.Sort(static (a, b) => (a.ScheduledTsMs + a.DelayMs).CompareTo(b.ScheduledTsMs + b.DelayMs));
        return due;
    }

    /// <summary>It was not sent and stays scheduled. To be published, if that is wanted: whether it is due before all others, as of <see cref="AddAsync"/>.</summary>
    public async Task<IReadOnlyList<StreamBatch>> ReleaseAsync(string delayId, bool tells, long nowMs, CancellationToken ct)
    {
        await using var command = Command(SqlRelease, delayId);
        command.Parameters.AddWithValue(tells);
        command.Parameters.AddWithValue(nowMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(r, ct);
    }

    /// <param name="eventId">What it was sent as; null: it could not be sent.</param>
    /// <param name="error">Why not.</param>
    public async Task FinaliseAsync(string delayId, long nowMs, string? eventId, byte[]? error, CancellationToken ct)
    {
        await using var command = Command(SqlFinalise, delayId);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.Add(Text(eventId));
        command.Parameters.Add(Bytes(error));
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Forgets events that were finalised before a time, at most so many.</summary>
    public async Task<int> ForgetAsync(long beforeMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlForget);
        command.Parameters.AddWithValue(beforeMs);
        command.Parameters.AddWithValue(limit);
        return await command.ExecuteNonQueryAsync(ct);
    }

    private NpgsqlCommand Command(string sql, params ReadOnlySpan<string> texts)
    {
        var command = database.Source.CreateCommand(sql);
        foreach (var text in texts) command.Parameters.AddWithValue(text);
        return command;
    }

    private static async Task<List<DelayedEvent>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var events = new List<DelayedEvent>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            events.Add(new DelayedEvent(
                r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.IsDBNull(4) ? null : r.GetString(4), r.GetFieldValue<byte[]>(5),
                r.IsDBNull(6) ? null : r.GetInt64(6), r.GetInt64(7), r.GetInt64(8))
            {
                FinalisedTsMs = r.IsDBNull(9) ? null : r.GetInt64(9), EventId = r.IsDBNull(10) ? null : r.GetString(10),
                Error = r.IsDBNull(11) ? default : r.GetFieldValue<byte[]>(11),
            });
        return events;
    }
}

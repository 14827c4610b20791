using Npgsql;
using static Matrix.Storage.StoreParameters;

namespace Matrix.Storage.Redactions;

/// <summary>Redacting a user's events in rooms.</summary>
/// <param name="UserId">Whose events.</param>
/// <param name="Sender">Who redacts them.</param>
/// <param name="RoomIds">Still to be done.</param>
/// <param name="MaxEvents">Of each room the newest ones.</param>
public sealed record RedactionJob(string RedactId, string UserId, string Sender, IReadOnlyList<string> RoomIds, string? Reason, int MaxEvents)
{
    public long Redacted { get; init; }
    /// <summary>Event ids with the reasons why they could not be redacted.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Failures { get; init; } = [];
    public long? FinishedTsMs { get; init; }
}

/// <summary>Jobs of redaction. Written by the admin API, done by Background: one instance at a time has claimed a job.</summary>
public sealed class RedactionJobStore(Database database)
{
    private const string Columns = "redact_id, user_id, sender, room_ids, reason, max_events, redacted, failed_ids, failures, finished_ts_ms";
    internal const string SqlAdd =
        "insert into redaction_jobs (redact_id, user_id, sender, room_ids, reason, max_events, created_ts_ms) values ($1, $2, $3, $4, $5, $6, $7)";
    internal const string SqlFind = "select " + Columns + " from redaction_jobs where redact_id = $1";
    internal const string SqlClaim =
        """
        update redaction_jobs set claimed_until_ms = $2 where redact_id = (
            select redact_id from redaction_jobs where finished_ts_ms is null and claimed_until_ms <= $1 order by created_ts_ms limit 1 for update skip locked)
        returning
        """ + " " + Columns;
    internal const string SqlRoomDone =
        """
        update redaction_jobs set room_ids = array_remove(room_ids, $2), redacted = redacted + $3, failed_ids = failed_ids || $4::text[], failures = failures || $5::text[],
            claimed_until_ms = 0, finished_ts_ms = case when cardinality(array_remove(room_ids, $2)) = 0 then $6::bigint end
        where redact_id = $1 and finished_ts_ms is null
        """;
    internal const string SqlEvents =
        """
        select e.event_id from rooms r join events e on e.room_nid = r.room_nid
        where r.room_id = $1 and e.sender = $2 and e.flags & 15 = 0 and e.state_key_nid is null and e.type <> 'm.room.redaction'
        order by e.origin_server_ts desc, e.event_nid desc limit $3
        """;
    internal const string SqlForget =
        "delete from redaction_jobs where ctid = any(array(select ctid from redaction_jobs where finished_ts_ms < $1 limit $2)) and finished_ts_ms < $1";

    /// <summary>A job without rooms is done when it is taken up.</summary>
    public async Task AddAsync(RedactionJob job, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAdd);
        command.Parameters.AddWithValue(job.RedactId);
        command.Parameters.AddWithValue(job.UserId);
        command.Parameters.AddWithValue(job.Sender);
        command.Parameters.AddWithValue(job.RoomIds.ToArray());
        command.Parameters.Add(Text(job.Reason));
        command.Parameters.AddWithValue(job.MaxEvents);
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Null: no such job, or it was finished long ago.</summary>
    public async Task<RedactionJob?> FindAsync(string redactId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(redactId);
        return await ReadAsync(command, ct);
    }

    /// <summary>The oldest job that nobody works on; null: none.</summary>
    public async Task<RedactionJob?> ClaimAsync(long nowMs, long untilMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlClaim);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(untilMs);
        return await ReadAsync(command, ct);
    }

    /// <summary>Gives the claim back, with a room less to do; the last one finishes the job.</summary>
    public async Task RoomDoneAsync(string redactId, string roomId, int redacted, IReadOnlyList<KeyValuePair<string, string>> failures, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRoomDone);
        command.Parameters.AddWithValue(redactId);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue((long)redacted);
        command.Parameters.AddWithValue(failures.Select(f => f.Key).ToArray());
        command.Parameters.AddWithValue(failures.Select(f => f.Value).ToArray());
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Newest messages of a user in a room that are not redacted yet.</summary>
    public async Task<List<string>> EventsAsync(string roomId, string userId, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlEvents);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(limit);
        var ids = new List<string>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) ids.Add(r.GetString(0));
        return ids;
    }

    public async Task<int> ForgetAsync(long beforeMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlForget);
        command.Parameters.AddWithValue(beforeMs);
        command.Parameters.AddWithValue(limit);
        return await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<RedactionJob?> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var r = await command.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct)) return null;
        var (ids, reasons) = (r.GetFieldValue<string[]>(7), r.GetFieldValue<string[]>(8));
        return new RedactionJob(r.GetString(0), r.GetString(1), r.GetString(2), r.GetFieldValue<string[]>(3), r.IsDBNull(4) ? null : r.GetString(4), r.GetInt32(5))
        {
            Redacted = r.GetInt64(6), Failures = [.. ids.Zip(reasons, KeyValuePair.Create)], FinishedTsMs = r.IsDBNull(9) ? null : r.GetInt64(9),
        };
    }
}

using Npgsql;
using NpgsqlTypes;

namespace Matrix.Storage.Federation;

/// <summary>Table policy_waits: events about which a policy server is asked again, at most <see cref="MaxTries"/> times in about two hours.</summary>
public sealed class PolicyWaits(Database database)
{
    public const int MaxTries = 9;
    /// <summary>Events of a room that wait; further ones stay as they are.</summary>
    private const int MaxPerRoom = 1_000;
    private const long FirstTryMs = 15_000;

    internal const string SqlKeep =
        """
        insert into policy_waits (event_id, room_id, origin, json, next_try_ts_ms)
        select u.event_id, $1, $2, u.json, $5 from unnest($3::text[], $4::bytea[]) as u(event_id, json)
        where (select count(*) from policy_waits w where w.room_id = $1) < $6 on conflict do nothing
        """;
    /// <remarks>Whoever takes one has it until the next try, twice as long each time.</remarks>
    internal const string SqlTake =
        """
        with due as (select event_id from policy_waits where next_try_ts_ms <= $1 order by next_try_ts_ms limit $2 for update skip locked)
        update policy_waits w set tries = w.tries + 1, next_try_ts_ms = $1 + ($3::bigint << w.tries) from due
        where w.event_id = due.event_id returning w.room_id, w.event_id, w.origin, w.json, w.tries
        """;
    internal const string SqlDone = "delete from policy_waits where event_id = any($1)";

    public async Task KeepAsync(string roomId, string origin, IReadOnlyCollection<(string EventId, ReadOnlyMemory<byte> Json)> pdus, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlKeep);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(origin);
        command.Parameters.AddWithValue(pdus.Select(p => p.EventId).ToArray());
        command.Parameters.Add(new NpgsqlParameter<byte[][]> { TypedValue = [.. pdus.Select(p => p.Json.ToArray())], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea });
        command.Parameters.AddWithValue(nowMs + FirstTryMs);
        command.Parameters.AddWithValue(MaxPerRoom);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Those whose time has come. Nobody else takes them before their next try.</summary>
    public async Task<List<(InboundPdu Pdu, int Tries)>> TakeDueAsync(long nowMs, int limit, CancellationToken ct)
    {
        var due = new List<(InboundPdu, int)>();
        await using var command = database.Source.CreateCommand(SqlTake);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(limit);
        command.Parameters.AddWithValue(FirstTryMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) due.Add((new InboundPdu(r.GetString(0), r.GetString(1), r.GetString(2), r.GetFieldValue<byte[]>(3)), r.GetInt32(4)));
        return due;
    }

    public async Task DoneAsync(IReadOnlyCollection<string> eventIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDone);
        command.Parameters.AddWithValue(eventIds.ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }
}

using Npgsql;
using NpgsqlTypes;

namespace Matrix.Storage.Federation;

/// <summary>An event that another server sent.</summary>
public sealed record InboundPdu(string RoomId, string EventId, string Origin, byte[] Json);

/// <summary>Table inbound_pdus. Written by FederationInbound.</summary>
public sealed class InboundStore(Database database)
{
    internal const string SqlStage =
        """
        insert into inbound_pdus (room_id, event_id, origin, json, received_ts_ms)
        select u.room_id, u.event_id, u.origin, u.json, $5 from unnest($1::text[], $2::text[], $3::text[], $4::bytea[]) with ordinality as u(room_id, event_id, origin, json, ord)
        order by u.ord on conflict do nothing
        """;
    /// <remarks>The oldest of a room, unless an instance has some of them: a room's events are handed over in the order in which they came.</remarks>
    internal const string SqlClaim =
        """
        update inbound_pdus p set claimed_until_ts_ms = $3
        from (select i.inbound_nid from inbound_pdus i where i.room_id = $1
              and not exists (select 1 from inbound_pdus b where b.room_id = $1 and b.claimed_until_ts_ms > $2)
              order by i.inbound_nid limit $4 for update skip locked) q
        where p.inbound_nid = q.inbound_nid
        returning p.inbound_nid, p.room_id, p.event_id, p.origin, p.json
        """;
    internal const string SqlDone = "delete from inbound_pdus where inbound_nid = any($1)";
    internal const string SqlWaiting = "select distinct room_id from inbound_pdus where claimed_until_ts_ms < $1 limit $2";

    public async Task StageAsync(IReadOnlyList<InboundPdu> pdus, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlStage);
        command.Parameters.AddWithValue(pdus.Select(p => p.RoomId).ToArray());
        command.Parameters.AddWithValue(pdus.Select(p => p.EventId).ToArray());
        command.Parameters.AddWithValue(pdus.Select(p => p.Origin).ToArray());
        command.Parameters.Add(new NpgsqlParameter<byte[][]> { TypedValue = [.. pdus.Select(p => p.Json)], NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea });
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Events of a room in the order in which they came; none while somebody else has some.</summary>
    public async Task<List<(long Nid, InboundPdu Pdu)>> ClaimAsync(string roomId, long nowMs, long untilMs, int limit, CancellationToken ct)
    {
        var claimed = new List<(long, InboundPdu)>();
        await using var command = database.Source.CreateCommand(SqlClaim);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(untilMs);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) claimed.Add((r.GetInt64(0), new InboundPdu(r.GetString(1), r.GetString(2), r.GetString(3), r.GetFieldValue<byte[]>(4))));
        claimed.Sort(static (a, b) => a.Item1.CompareTo(b.Item1));
        return claimed;
    }

    public async Task DoneAsync(long[] nids, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDone);
        command.Parameters.AddWithValue(nids);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Rooms with events that nobody has.</summary>
    public async Task<List<string>> WaitingAsync(long nowMs, int limit, CancellationToken ct)
    {
        var rooms = new List<string>();
        await using var command = database.Source.CreateCommand(SqlWaiting);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) rooms.Add(r.GetString(0));
        return rooms;
    }
}

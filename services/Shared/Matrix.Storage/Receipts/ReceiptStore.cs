using Matrix.Replication;
using Matrix.Storage.Streams;

namespace Matrix.Storage.Receipts;

/// <summary>Read receipts: one a room, user, type and thread, never moving back.</summary>
public sealed class ReceiptStore(Database database)
{
    /// <remarks>
    /// The row carries its position, so the counter comes before the write within the one statement (docs/streams.md). A concurrent newer receipt wins
    /// the upsert; the position then has a row that repeats nothing older than what readers have.
    /// Answers: joined, position, payload (null: nothing was newer).
    /// </remarks>
    internal const string SqlSet =
        """
        with room as (
            select r.room_nid from rooms r join room_memberships m on m.room_nid = r.room_nid
            where r.room_id = $1 and m.user_id = $2 and m.membership = 'join'),
        target as (
            select (select s.pos from events e join event_stream s on s.event_nid = e.event_nid where e.event_id = $5 and e.room_nid = room.room_nid) as pos
            from room),
        newer as (
            select t.pos from target t where not exists (
                select 1 from receipts x where x.room_id = $1 and x.user_id = $2 and x.receipt_type = $3 and x.thread_id = $4
                and (x.event_id = $5 or (x.event_pos is not null and (t.pos is null or x.event_pos >= t.pos))))),
        counter as (
            update stream_counters c set pos = c.pos + 1 from newer n where c.stream = 'receipts' returning c.pos as pos, n.pos as event_pos),
        written as (
            insert into receipts (room_id, user_id, receipt_type, thread_id, event_id, event_pos, ts_ms, pos)
            select $1, $2, $3, $4, $5, c.event_pos, $6, c.pos from counter c
            on conflict (room_id, user_id, receipt_type, thread_id) do update
                set event_id = excluded.event_id, event_pos = excluded.event_pos, ts_ms = excluded.ts_ms, pos = excluded.pos
                where receipts.event_pos is null or excluded.event_pos > receipts.event_pos),
        payload as (
            select c.pos, convert_to(json_build_object(
                'user_id', $2::text, 'type', $3::text, 'thread_id', $4::text, 'event_id', $5::text, 'event_pos', c.event_pos, 'ts_ms', $6::bigint)::text,
                'UTF8') as json from counter c),
        log as (insert into stream_rows (stream, pos, ord, key, payload) select 'receipts', p.pos, 0, $1, p.json from payload p)
        select exists (select 1 from room), p.pos, p.json from (select 1) one left join payload p on true
        """;

    internal const string SqlOfRoom =
        """
        select user_id, receipt_type, thread_id, event_id, event_pos, ts_ms from receipts
        where room_id = $1 and (receipt_type <> 'm.read.private' or user_id = $2) order by pos
        """;

    /// <summary>Receipts of a room as that user sees them: private ones are his own.</summary>
    public async Task<List<ReceiptRow>> OfRoomAsync(string roomId, string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlOfRoom);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(userId);
        var receipts = new List<ReceiptRow>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            receipts.Add(new ReceiptRow(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.IsDBNull(4) ? null : r.GetInt64(4), r.GetInt64(5)));
        return receipts;
    }

    /// <summary>False: the user is not joined to the room. An older receipt, or the same again, changes nothing.</summary>
    /// <param name="threadId">Empty: unthreaded.</param>
    public async Task<(bool Joined, IReadOnlyList<StreamBatch> Batches)> SetAsync(
        string roomId, string userId, string type, string threadId, string eventId, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSet);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(type);
        command.Parameters.AddWithValue(threadId);
        command.Parameters.AddWithValue(eventId);
        command.Parameters.AddWithValue(nowMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        await r.ReadAsync(ct);
        if (r.IsDBNull(1)) return (r.GetBoolean(0), []);
        var position = r.GetInt64(1);
        var row = new StreamRow(position, roomId, r.GetFieldValue<byte[]>(2));
        return (true, [new StreamBatch(Replication.Streams.Receipts, position - 1, position, [row])]);
    }
}

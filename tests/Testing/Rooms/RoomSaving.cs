using System.Text.Json;
using Matrix.Events;
using Matrix.Storage;
using Matrix.Storage.Events;
using Npgsql;

namespace Matrix.Testing;

/// <summary>Puts rooms under test into the database, as far as readers look: events in order, current state, memberships, stream events.</summary>
public static class RoomSaving
{
    private static long nids = 1_000_000;

    /// <summary>
    /// Saves the events of a room that are not saved yet, in order; for rooms of one branch. Returns the position of the last one in stream events.
    /// </summary>
    /// <param name="read">Who sent them has read up to them.</param>
    public static async Task<long> SaveAsync(this Room room, Database database, bool published = false, bool read = false)
    {
        await using var connection = await database.Source.OpenConnectionAsync();
        await using var tx = await connection.BeginTransactionAsync();
        var roomNid = (long)(await ScalarAsync(tx,
            """
            insert into rooms (room_id, version, created_ts_ms, is_public) values ($1, $2, 0, $3)
            on conflict (room_id) do update set is_public = excluded.is_public returning room_nid
            """, room.RoomId, room.RoomVersion.Id, published))!;
        long position = 0;
        foreach (var pdu in room.Events) position = await SaveEventAsync(tx, roomNid, pdu, read) ?? position;
        await tx.CommitAsync();
        return position;
    }

    private static async Task<long?> SaveEventAsync(NpgsqlTransaction tx, long roomNid, Pdu pdu, bool read)
    {
        if (await ScalarAsync(tx, "select 1 from events where event_id = $1", pdu.EventId) is not null) return null;
        var nid = Interlocked.Increment(ref nids);
        object key = DBNull.Value, replaces = DBNull.Value;
        if (pdu.StateKey is not null)
        {
            key = (await ScalarAsync(tx,
                "insert into state_keys (type, state_key) values ($1, $2) on conflict (type, state_key) do update set type = excluded.type returning state_key_nid",
                pdu.Type, pdu.StateKey))!;
            replaces = await ScalarAsync(tx, "select event_nid from current_state where room_nid = $1 and state_key_nid = $2", roomNid, key) ?? DBNull.Value;
            await ScalarAsync(tx,
                "insert into current_state values ($1, $2, $3) on conflict (room_nid, state_key_nid) do update set event_nid = excluded.event_nid", roomNid, key, nid);
        }
        await ScalarAsync(tx,
            """
            insert into events (event_nid, event_id, room_nid, type, state_key_nid, sender, depth, origin_server_ts, received_ts_ms, replaces_nid,
                prev_nids, auth_nids, json, redacts, flags)
            values ($1, $2, $3, $4, $5::bigint, $6, $7, $8, (extract(epoch from now()) * 1000)::bigint, $9::bigint, '{}', '{}', $10, $11::text, $12)
            """, nid, pdu.EventId, roomNid, pdu.Type, key, pdu.Sender, pdu.Depth, pdu.OriginServerTs, replaces, pdu.Json.ToArray(), (object?)pdu.Redacts ?? DBNull.Value,
            (short)(read ? EventFlags.Reads : EventFlags.None));
        var position = (long)(await ScalarAsync(tx, "update stream_counters set pos = pos + 1 where stream = 'events' returning pos"))!;
        var root = EventRelation.Read(pdu) is { RelType: RelationTypes.Thread, ParentId: var id } ? id : null;
        await ScalarAsync(
            tx, "insert into event_stream (pos, room_nid, event_nid, read_root) values ($1, $2, $3, $4::text)", position, roomNid, nid,
            read && root is not null ? root : DBNull.Value);
        if (read)
            await ScalarAsync(tx,
                """
                insert into implied_receipts values ($1, $2, $3, $4)
                on conflict (room_nid, user_id, thread_id) do update set event_pos = excluded.event_pos
                """, roomNid, pdu.Sender, root ?? ThreadWalk.Main, position);
        if (EventRelation.Read(pdu) is { } relation)
            await ScalarAsync(tx,
                "insert into event_relations (event_nid, room_nid, parent_id, rel_type, pos, type, sender, can_replace) values ($1, $2, $3, $4, $5, $6, $7, false)",
                nid, roomNid, relation.ParentId, relation.RelType, position, pdu.Type, pdu.Sender);
        if (pdu is { Type: "m.room.member", StateKey: not null })
            await ScalarAsync(tx,
                """
                insert into room_memberships (room_nid, user_id, membership, event_nid, pos, sender) values ($1, $2, $3, $4, $5, $6)
                on conflict (room_nid, user_id) do update set membership = excluded.membership, event_nid = excluded.event_nid, pos = excluded.pos,
                    sender = excluded.sender
                """, roomNid, pdu.StateKey, Membership(pdu), nid, position, pdu.Sender);
        return position;
    }

    private static string Membership(Pdu pdu)
    {
        using var content = JsonDocument.Parse(pdu.Content);
        return content.RootElement.GetProperty("membership").GetString()!;
    }

    private static async Task<object?> ScalarAsync(NpgsqlTransaction tx, string sql, params object[] values)
    {
        await using var command = new NpgsqlCommand(sql, tx.Connection, tx);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        return await command.ExecuteScalarAsync();
    }
}

using Matrix.Events;
using Npgsql;

namespace Matrix.Storage.Events;

/// <summary>The columns of a <see cref="StoredEvent"/>, and how a row becomes one. Every query of events starts with these.</summary>
internal static class StoredEventSql
{
    public const string Columns =
        """
        select e.event_nid, e.room_nid, s.pos, e.flags, e.snapshot_nid, e.received_ts_ms, e.event_id, r.version, e.json,
               p.event_id, p.sender, p.json, t.device_id, t.txn_id,
               case when e.flags & 8 <> 0 then (select min(d.redacted_by) from redactions d where d.event_id = e.event_id) end

        """;

    public const string Joins =
        """

        join rooms r on r.room_nid = e.room_nid
        left join events p on p.event_nid = e.replaces_nid
        left join event_txns t on t.event_id = e.event_id

        """;

    public static async Task<List<StoredEvent>> ReadAllAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var events = new List<StoredEvent>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) events.Add(Read(r));
        return events;
    }

    public static StoredEvent Read(NpgsqlDataReader r)
    {
        var version = RoomVersions.Find(r.GetString(7))
            ?? throw new InvalidDataException($"Room version '{r.GetString(7)}' in the database is not known to this release.");
        var replaces = r.IsDBNull(9) ? null : r.GetString(9);
        return new StoredEvent
        {
            EventNid = r.GetInt64(0),
            RoomNid = r.GetInt64(1),
            Position = r.IsDBNull(2) ? null : r.GetInt64(2),
            Flags = (EventFlags)r.GetInt16(3),
            SnapshotNid = r.IsDBNull(4) ? null : r.GetInt64(4),
            ReceivedTsMs = r.GetInt64(5),
            Pdu = Pdu.ReadTrusted(r.GetFieldValue<byte[]>(8), version, r.GetString(6)),
            ReplacesEventId = replaces,
            PrevSender = replaces is null ? null : r.GetString(10),
            PrevContent = replaces is null ? default : Pdu.ReadTrusted(r.GetFieldValue<byte[]>(11), version, replaces).Content,
            TxnDeviceId = r.IsDBNull(12) ? null : r.GetString(12),
            TxnId = r.IsDBNull(13) ? null : r.GetString(13),
            RedactedBy = r.IsDBNull(14) ? null : r.GetString(14),
        };
    }
}

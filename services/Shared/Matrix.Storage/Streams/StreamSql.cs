namespace Matrix.Storage.Streams;

internal static class StreamSql
{
    public const string Position = "select pos from stream_counters where stream = $1";
    public const string Positions = "select stream, pos from stream_counters";

    /// <summary>
    /// $1 stream, $2 after, $3 up to, $4 about so many rows. The first columns (where the stream is, what is kept) come in every row, also when there is
    /// none to read; one snapshot for all of it. Rows of one position are never split.
    /// </summary>
    public const string ReadRows =
        """
        select c.pos, t.min_pos, r.pos, r.key, r.payload
        from stream_counters c
        left join stream_retained t on t.stream = c.stream
        left join lateral (
            select s.pos, s.ord, s.key, s.payload from stream_rows s
            where s.stream = $1 and s.pos > $2 and s.pos <= $3
            order by s.pos fetch first ($4) rows with ties
        ) r on true
        where c.stream = $1
        order by r.pos, r.ord
        """;

    /// <summary>As <see cref="ReadRows"/> without $1, with everything that an EventRow holds.</summary>
    public const string ReadEvents =
        """
        select c.pos, t.min_pos, r.*
        from stream_counters c
        left join stream_retained t on t.stream = c.stream
        left join lateral (
            select s.pos, s.room_nid, s.event_nid, m.room_id, e.event_id, m.version, e.type, e.sender, k.state_key, e.flags, e.received_ts_ms,
                x.device_id, x.txn_id, p.event_id as replaces_event_id, p.sender as prev_sender, p.json as prev_json, e.redacts, e.json,
                v.keys, v.befores, v.nows, v.types, v.state_keys, v.ids, v.senders, v.members, s.read_root
            from (
                select pos, room_nid, event_nid, read_root from event_stream where pos > $1 and pos <= $2 order by pos limit $3
            ) s
            join events e on e.event_nid = s.event_nid
            join rooms m on m.room_nid = s.room_nid
            left join state_keys k on k.state_key_nid = e.state_key_nid
            left join events p on p.event_nid = e.replaces_nid
            left join lateral (
                select device_id, txn_id from event_txns where event_txns.event_id = e.event_id limit 1
            ) x on true
            left join lateral (
                select array_agg(a.state_key_nid) as keys, array_agg(a.before_nid) as befores, array_agg(a.now_nid) as nows, array_agg(q.type) as types,
                    array_agg(q.state_key) as state_keys, array_agg(n.event_id) as ids, array_agg(n.sender) as senders,
                    array_agg(case when q.type = 'm.room.member' then n.json end) as members
                from state_moves a join state_keys q on q.state_key_nid = a.state_key_nid left join events n on n.event_nid = a.now_nid
                where a.event_nid = e.event_nid
            ) v on e.flags & 32 <> 0
        ) r on true
        where c.stream = 'events'
        order by r.pos
        """;

    public const string GetCursor = "select pos from stream_cursors where reader = $1 and stream = $2";

    /// <summary>Never moves a cursor back: two holders of a duty may overlap for a moment.</summary>
    public const string SaveCursor =
        """
        insert into stream_cursors (reader, stream, pos) values ($1, $2, $3)
        on conflict (reader, stream) do update set pos = excluded.pos where stream_cursors.pos < excluded.pos
        """;
}

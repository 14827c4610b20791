namespace Matrix.Storage.Events;

public sealed partial class EventWriter
{
    /// <remarks>Several rooms: their rows are locked in one order everywhere.</remarks>
    internal const string SqlLock = "select 1 from rooms where room_nid = any($1) order by room_nid for no key update";

    internal const string SqlNewRooms =
        """
        insert into rooms (room_nid, room_id, version, head, created_ts_ms, is_public)
        select room_nid, room_id, version, 0, created, is_public
        from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::boolean[]) as u(room_nid, room_id, version, created, is_public)
        """;

    internal const string RoomConstraint = "rooms_room_id_key";

    /// <remarks>
    /// Compare and swap. A room that somebody else has moved makes the division fail, which takes the whole transaction back within its one round
    /// trip; error 22012 means nothing else here.
    /// </remarks>
    internal const string SqlMoveHeads =
        """
        with moved as (
            update rooms r set head = u.head + u.n, current_snapshot = coalesce(u.snapshot, r.current_snapshot)
            from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) as u(room_nid, head, n, snapshot)
            where r.room_nid = u.room_nid and r.head = u.head returning 1)
        select 1 / (case when (select count(*) from moved) = cardinality($1::bigint[]) then 1 else 0 end)
        """;
    internal const string DivisionByZero = "22012";

    internal const string SqlEvents =
        """
        insert into events (event_nid, event_id, room_nid, type, state_key_nid, sender, depth, origin_server_ts, received_ts_ms, flags,
                            snapshot_nid, replaces_nid, prev_nids, auth_nids, redacts, json)
        select u.event_nid, u.event_id, u.room_nid, u.type, u.state_key_nid, u.sender, u.depth, u.ts, u.received, u.flags,
               u.snapshot_nid, u.replaces_nid, u.prev::bigint[], u.auth::bigint[], u.redacts, u.json
        from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[],
                    $10::smallint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::bytea[])
             as u(event_nid, event_id, room_nid, type, state_key_nid, sender, depth, ts, received, flags,
                  snapshot_nid, replaces_nid, prev, auth, redacts, json)
        """;

    /// <remarks>As above where rows may be there, as outliers ($17): those become full events.</remarks>
    internal const string SqlMixedEvents =
        """
        with u as (
            select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[],
                                 $10::smallint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::bytea[], $17::boolean[])
                 as t(event_nid, event_id, room_nid, type, state_key_nid, sender, depth, ts, received, flags,
                      snapshot_nid, replaces_nid, prev, auth, redacts, json, known)),
        changed as (
            update events e set flags = u.flags, snapshot_nid = u.snapshot_nid, replaces_nid = u.replaces_nid, prev_nids = u.prev::bigint[],
                                auth_nids = u.auth::bigint[], redacts = u.redacts, received_ts_ms = u.received, json = u.json
            from u where u.known and e.event_nid = u.event_nid)
        insert into events (event_nid, event_id, room_nid, type, state_key_nid, sender, depth, origin_server_ts, received_ts_ms, flags,
                            snapshot_nid, replaces_nid, prev_nids, auth_nids, redacts, json)
        select u.event_nid, u.event_id, u.room_nid, u.type, u.state_key_nid, u.sender, u.depth, u.ts, u.received, u.flags,
               u.snapshot_nid, u.replaces_nid, u.prev::bigint[], u.auth::bigint[], u.redacts, u.json
        from u where not u.known
        """;

    /// <remarks>The first of the arrays is the newest: positions fall.</remarks>
    internal const string SqlPast =
        """
        insert into event_stream (pos, room_nid, event_nid)
        select nextval('past_positions'), u.room_nid, u.event_nid
        from (select * from unnest($1::bigint[], $2::bigint[]) with ordinality as t(room_nid, event_nid, ord) order by ord desc) u
        """;

    internal const string SqlMissing =
        """
        insert into missing_parents (room_nid, child_nid, missing_id)
        select * from unnest($1::bigint[], $2::bigint[], $3::text[]) on conflict do nothing
        """;

    /// <remarks>Parents that were missing have come ($2 ids of $1, rooms $3).</remarks>
    internal const string SqlFilled =
        """
        with gone as (
            delete from missing_parents m using unnest($1::bigint[], $2::text[], $3::bigint[]) as u(event_nid, event_id, room_nid)
            where m.missing_id = u.event_id and m.room_nid = u.room_nid returning m.child_nid, u.event_nid as parent_nid)
        update events e set prev_nids = e.prev_nids || g.parents
        from (select child_nid, array_agg(parent_nid) as parents from gone group by child_nid) g where e.event_nid = g.child_nid
        """;

    internal const string SqlMoves =
        """
        insert into state_moves (event_nid, state_key_nid, before_nid, now_nid)
        select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
        """;

    internal const string SqlMembershipsGone =
        """
        delete from room_memberships m using unnest($1::bigint[], $2::text[]) as u(room_nid, user_id)
        where m.room_nid = u.room_nid and m.user_id = u.user_id
        """;

    /// <remarks>A key that is there already fails: the send was a repetition.</remarks>
    internal const string SqlTransactions =
        """
        insert into event_txns (user_id, device_id, txn_id, event_id, room_id, created_ts_ms)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
        """;
    internal const string TransactionsConstraint = "event_txns_pkey";

    internal const string SqlSnapshots =
        """
        insert into state_snapshots (snapshot_nid, room_nid, chain, number, delta)
        select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::int[], $5::bytea[])
        """;

    internal const string SqlCurrentState =
        """
        with gone as (
            delete from current_state c using unnest($1::bigint[], $2::bigint[], $3::bigint[]) as u(room_nid, state_key_nid, event_nid)
            where u.event_nid = 0 and c.room_nid = u.room_nid and c.state_key_nid = u.state_key_nid)
        insert into current_state (room_nid, state_key_nid, event_nid)
        select u.room_nid, u.state_key_nid, u.event_nid from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as u(room_nid, state_key_nid, event_nid)
        where u.event_nid <> 0
        on conflict (room_nid, state_key_nid) do update set event_nid = excluded.event_nid
        """;

    internal const string SqlExtremities =
        """
        with gone as (
            delete from forward_extremities f using unnest($1::bigint[], $2::bigint[]) as u(room_nid, event_nid)
            where f.room_nid = u.room_nid and f.event_nid = u.event_nid)
        insert into forward_extremities (room_nid, event_nid) select * from unnest($3::bigint[], $4::bigint[])
        """;

    internal const string SqlRedact =
        """
        update events e set json = u.json, flags = e.flags | 8
        from unnest($1::bigint[], $2::bytea[]) as u(event_nid, json) where e.event_nid = u.event_nid
        """;

    internal const string SqlRedactions =
        """
        insert into redactions (event_id, redacted_by, room_nid)
        select * from unnest($1::text[], $2::text[], $3::bigint[]) on conflict do nothing
        """;

    internal const string SqlAliases =
        """
        insert into room_aliases (alias, room_id, creator, created_ts_ms)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
        """;
    internal const string AliasConstraint = "room_aliases_pkey";

    /// <remarks>
    /// The last statement: the counter's row lock orders commits and is held for no longer than the commit takes. $4 to $7: what senders have read ($7 is the
    /// place of the event among the events, from 1); they are written under that lock, so they only move forward.
    /// </remarks>
    private const string Positions =
        """
        with c as (
            update stream_counters set pos = pos + cardinality($1::bigint[]) where stream = 'events' returning pos - cardinality($1::bigint[]) as base, pos),
        rows as (
            insert into event_stream (pos, room_nid, event_nid, read_root)
            select c.base + u.ord, u.room_nid, u.event_nid, u.read_root
            from c, unnest($1::bigint[], $2::bigint[], $3::text[]) with ordinality as u(room_nid, event_nid, read_root, ord)),
        reads as (
            insert into implied_receipts (room_nid, user_id, thread_id, event_pos)
            select u.room_nid, u.user_id, u.thread_id, c.base + u.place
            from c, unnest($4::bigint[], $5::text[], $6::text[], $7::bigint[]) as u(room_nid, user_id, thread_id, place)
            on conflict (room_nid, user_id, thread_id) do update set event_pos = excluded.event_pos
                where implied_receipts.event_pos < excluded.event_pos)
        """;
    internal const string SqlPositions = Positions + " select pos from c";

    /// <remarks>As above; $13 is the place of the member event among the events, from 1. Who forgot a room stays so while he is only kept out of it.</remarks>
    internal const string SqlPositionsAndMemberships = Positions +
        """
        , members as (
            insert into room_memberships (room_nid, user_id, membership, event_nid, pos, sender)
            select u.room_nid, u.user_id, u.membership, u.event_nid, c.base + u.place, u.sender
            from c, unnest($8::bigint[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::bigint[])
                 as u(room_nid, user_id, membership, event_nid, sender, place)
            on conflict (room_nid, user_id) do update set
                membership = excluded.membership, event_nid = excluded.event_nid, pos = excluded.pos, sender = excluded.sender,
                forgotten = room_memberships.forgotten and excluded.membership in ('leave', 'ban'))
        select pos from c
        """;

    /// <remarks>After the positions, which it reads; only groups with relations have it.</remarks>
    internal const string SqlRelations =
        """
        insert into event_relations (event_nid, room_nid, parent_id, rel_type, pos, type, sender, key, can_replace)
        select u.event_nid, u.room_nid, u.parent_id, u.rel_type, s.pos, u.type, u.sender, u.key, u.can_replace
        from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[])
             as u(event_nid, room_nid, parent_id, rel_type, type, sender, key, can_replace)
        join event_stream s on s.event_nid = u.event_nid
        """;

    internal const string SqlUnrelate = "delete from event_relations where event_nid = any($1)";

    /// <remarks>Event nids are given out once: a row with this one is of this very transaction.</remarks>
    internal const string SqlPositionOf = "select pos from event_stream where event_nid = $1";
    /// <remarks>Of an event that enters no stream; $2: its row was there, as an outlier.</remarks>
    internal const string SqlIsThere = "select 0::bigint from events where event_nid = $1 and (not $2 or snapshot_nid is not null)";

    internal const string SqlHeads = "select room_nid, head from rooms where room_nid = any($1)";

    internal const string SqlKnownTransactions =
        """
        select t.user_id, t.device_id, t.room_id, t.txn_id, t.event_id
        from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as q(user_id, device_id, room_id, txn_id)
        join event_txns t using (user_id, device_id, room_id, txn_id)
        """;
}

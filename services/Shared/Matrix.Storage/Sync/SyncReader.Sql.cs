using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Sync;

public sealed partial class SyncReader
{
    internal const string SqlPositions = "select stream, pos from stream_counters";
    internal const string SqlSomeMember =
        """
        select m.user_id, r.room_id from users u join room_memberships m using (user_id) join rooms r using (room_nid)
        where m.membership = 'join' and not u.deactivated limit 1
        """;
    internal const string SqlEventsPosition = "select pos from stream_counters where stream = 'events'";
    internal const string SqlMemberships =
        """
        select m.room_nid, r.room_id, m.user_id, m.membership, m.event_nid, m.pos, m.sender, m.forgotten
        from room_memberships m join rooms r using (room_nid) where m.user_id = $1
        """;
    internal const string SqlAccountData = "select room_id, type, content from account_data where user_id = $1";
    internal const string SqlAccountDataOf =
        """
        select a.room_id, a.type, a.content from unnest($2::text[], $3::text[]) as q(room_id, type)
        join account_data a on a.user_id = $1 and a.room_id = q.room_id and a.type = q.type
        """;
    internal const string SqlToDeviceRanges =
        "select device_id, min(pos), max(pos) from to_device_messages where user_id = $1 group by device_id";
    internal const string SqlToDevice =
        """
        select pos, sender, type, content from to_device_messages
        where user_id = $1 and device_id = $2 and pos > $3 and pos <= $4 order by pos, ord limit $5
        """;
    internal const string SqlDeleteToDevice = "delete from to_device_messages where user_id = $1 and device_id = $2 and pos <= $3";

    private const string ReceiptColumns = "select c.room_id, c.pos, c.user_id, c.receipt_type, c.thread_id, c.event_id, c.event_pos, c.ts_ms from ";
    internal const string SqlOwnReceipts = ReceiptColumns +
        """
        room_memberships m join rooms r using (room_nid) join receipts c on c.room_id = r.room_id and c.user_id = $1
        where m.user_id = $1
        """;
    internal const string SqlImplied =
        """
        select r.room_id, i.thread_id, i.event_pos
        from room_memberships m join rooms r using (room_nid) join implied_receipts i on i.room_nid = m.room_nid and i.user_id = $1
        where m.user_id = $1
        """;
    internal const string SqlReceiptsOn = ReceiptColumns +
        "receipts c where c.room_id = any($1) and c.event_id = any($2) and c.pos <= $3 order by c.pos";
    internal const string SqlReceipts = ReceiptColumns + "receipts c where c.room_id = any($1) and c.pos > $2 and c.pos <= $3 order by c.pos";

    internal const string SqlActivity =
        """
        select q.room_nid,
               coalesce((select max(s.pos) from event_stream s where s.room_nid = q.room_nid), 0),
               coalesce((select max(c.pos) from receipts c where c.room_id = q.room_id), 0)
        from unnest($1::bigint[], $2::text[]) as q(room_nid, room_id)
        """;

    internal const string SqlRooms = "select room_nid, version from rooms where room_nid = any($1)";
    // Relations that are aggregated: nothing is asked about events that have none.
    private const string IsRelated =
        """
               , exists (select 1 from event_relations x
                         where x.room_nid = e.room_nid and x.parent_id = e.event_id and x.rel_type in ('m.replace', 'm.reference', 'm.thread'))

        """;
    // One more than asked for: tells whether there are older events.
    internal const string SqlLatest = Columns + IsRelated +
        """
        from unnest($1::bigint[]) as q(room_nid)
        cross join lateral (
            select l.pos, l.event_nid from event_stream l join events le on le.event_nid = l.event_nid
            where l.room_nid = q.room_nid and le.flags & 7 = 0
            order by l.pos desc limit $2) s
        join events e on e.event_nid = s.event_nid
        """ + Joins + "order by s.pos";
    internal const string SqlTimelines = Columns + IsRelated +
        """
        from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as q(room_nid, after, up_to)
        cross join lateral (
            select l.pos, l.event_nid from event_stream l join events le on le.event_nid = l.event_nid
            where l.room_nid = q.room_nid and l.pos > q.after and l.pos <= q.up_to and le.flags & 7 = 0
            order by l.pos desc limit $4) s
        join events e on e.event_nid = s.event_nid
        """ + Joins + "order by s.pos";
    // Members are left out by the ids of their events: two narrow indexes are read instead of every member event.
    internal const string SqlState = Columns +
        "from current_state c join events e on e.event_nid = c.event_nid left join event_stream s on s.event_nid = e.event_nid" + Joins +
        """
        where c.room_nid = any($1)
          and not exists (select 1 from room_memberships m where m.room_nid = c.room_nid and m.event_nid = c.event_nid)
        """;
    internal const string SqlMembers = "select room_nid, user_id, membership, event_nid, pos from room_memberships where room_nid = any($1)";

    internal const string SqlSnapshotsAt =
        """
        select q.room_nid, q.pos, x.snapshot_nid from unnest($1::bigint[], $2::bigint[]) as q(room_nid, pos)
        cross join lateral (
            select e.snapshot_nid from event_stream s join events e on e.event_nid = s.event_nid
            where s.room_nid = q.room_nid and s.pos <= q.pos and e.flags & 7 = 0 and e.snapshot_nid is not null
            order by s.pos desc limit 1) x
        """;

    // Walks from the current membership event to what it replaced, until a position that is not after $3.
    internal const string SqlMembershipHistory =
        """
        with recursive steps as (
            select m.room_nid, m.event_nid, m.pos from room_memberships m where m.user_id = $1 and m.room_nid = any($2)
            union all
            select t.room_nid, e.replaces_nid, coalesce(s.pos, 0)
            from steps t join events e on e.event_nid = t.event_nid left join event_stream s on s.event_nid = e.replaces_nid
            where t.pos > $3 and e.replaces_nid is not null)
        select t.room_nid, t.pos, e.json, t.event_nid from steps t join events e on e.event_nid = t.event_nid order by t.room_nid, t.pos
        """;

    internal const string SqlRetained = "select min_pos from stream_retained where stream = $1";
    internal const string SqlChangedKeys =
        "select key, max(pos), payload from stream_rows where stream = $1 and key = $2 and pos > $3 and pos <= $4 group by key, payload";
    // Rows about somebody (DeviceListRow.About) are for the user of their key alone.
    internal const string SqlDeviceListChanges =
        """
        select distinct d.key, case when d.key = $1 then d.payload end from stream_rows d
        where d.stream = 'device_lists' and d.pos > $2 and d.pos <= $3
          and (d.key = $1 or (position('"about":'::bytea in d.payload) = 0 and exists (
              select 1 from room_memberships a join room_memberships b on b.room_nid = a.room_nid and b.user_id = d.key and b.membership = 'join'
              where a.user_id = $1 and a.membership = 'join')))
        """;
    internal const string SqlSharing =
        """
        select q.user_id from unnest($2::text[]) as q(user_id)
        where exists (
            select 1 from room_memberships a join room_memberships b on b.room_nid = a.room_nid and b.membership = 'join'
            where a.user_id = $1 and a.membership = 'join' and b.user_id = q.user_id)
        """;
    internal const string SqlContacts =
        """
        select distinct b.user_id from room_memberships a join room_memberships b on b.room_nid = a.room_nid and b.membership = 'join'
        where a.user_id = $1 and a.membership = 'join'
        """;
    internal const string SqlJoinedRooms =
        "select m.user_id, r.room_id from room_memberships m join rooms r using (room_nid) where m.user_id = any($1) and m.membership = 'join'";
    internal const string SqlForgotten = "select room_nid from room_memberships where user_id = $1 and room_nid = any($2) and forgotten";
    internal const string SqlMembershipsOf = "select event_nid, json from events where event_nid = any($1)";
    internal const string SqlMemberTurns =
        """
        select s.room_nid, s.pos, k.state_key, false, e.json, p.json
        from unnest($1::bigint[]) as q(room_nid) join event_stream s on s.room_nid = q.room_nid and s.pos > $2 and s.pos <= $3
        join events e on e.event_nid = s.event_nid and e.type = 'm.room.member' and e.flags & 23 = 0
        join state_keys k on k.state_key_nid = e.state_key_nid
        left join events p on p.event_nid = e.replaces_nid
        union all
        select s.room_nid, s.pos, k.state_key, true, n.json, null
        from unnest($1::bigint[]) as q(room_nid) join event_stream s on s.room_nid = q.room_nid and s.pos > $2 and s.pos <= $3
        join state_moves v on v.event_nid = s.event_nid
        join state_keys k on k.state_key_nid = v.state_key_nid and k.type = 'm.room.member'
        left join events n on n.event_nid = v.now_nid
        order by 2
        """;
    internal const string SqlStateMoves =
        """
        select m.event_nid, k.type, k.state_key, m.before_nid, m.now_nid from state_moves m join state_keys k using (state_key_nid) where m.event_nid = any($1)
        """;
    internal const string SqlStateKeys = "select state_key_nid, type, state_key from state_keys where state_key_nid = any($1)";
    // As far back as that: a room where nobody has said anything for so long has no activity.
    internal const string SqlLastOfTypes =
        """
        select q.room_nid, l.pos from unnest($1::bigint[]) as q(room_nid)
        cross join lateral (
            select n.pos from (select s.pos, s.event_nid from event_stream s where s.room_nid = q.room_nid order by s.pos desc limit 500) n
            join events e on e.event_nid = n.event_nid
            where e.type = any($2::text[]) and e.flags & 7 = 0 order by n.pos desc limit 1) l
        """;
    internal const string SqlFindRoom = "select room_nid from rooms where room_id = $1";
    internal const string SqlPublishedRooms =
        "select r.room_id from room_memberships m join rooms r using (room_nid) where m.user_id = $1 and r.is_public";
    internal const string SqlFilter = "select filter from filters where user_id = $1 and filter_id = $2";
}

namespace Matrix.Storage.Relations;

public sealed partial class RelationReader
{
    private const string Parents =
        "from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[]) with ordinality as q(room_nid, parent_id, sender, type, up_to, place)";

    internal const string SqlReplacements =
        "select q.place, l.event_nid " + Parents +
        """

        cross join lateral (
            select r.event_nid from event_relations r join events e on e.event_nid = r.event_nid
            where r.room_nid = q.room_nid and r.parent_id = q.parent_id and r.rel_type = 'm.replace' and r.pos <= q.up_to
              and r.can_replace and r.sender = q.sender and r.type = q.type
            order by e.origin_server_ts desc, e.event_id desc limit 1) l
        """;

    internal const string SqlReferences =
        "select q.place, l.event_id " + Parents +
        """

        cross join lateral (
            select e.event_id, r.pos from event_relations r join events e on e.event_nid = r.event_nid
            where r.room_nid = q.room_nid and r.parent_id = q.parent_id and r.rel_type = 'm.reference' and r.pos <= q.up_to and r.sender <> all($6::text[])
            order by r.pos limit 1000) l
        order by q.place, l.pos
        """;

    internal const string SqlThreads =
        "select q.place, t.n, t.own, s.event_nid " + Parents +
        """

        cross join lateral (
            select count(*) as n, bool_or(r.sender = $7) as own, max(r.pos) as latest from event_relations r
            where r.room_nid = q.room_nid and r.parent_id = q.parent_id and r.rel_type = 'm.thread' and r.pos <= q.up_to and r.sender <> all($6::text[])) t
        join event_stream s on s.pos = t.latest
        """;

    private const string Tree =
        """
        with recursive tree as (
            select r.event_nid, r.pos, e.event_id, 1 as depth from event_relations r join events e on e.event_nid = r.event_nid
            where r.room_nid = $1 and r.parent_id = $2 and ($3::text is null or r.rel_type = $3) and ($4::text is null or r.type = $4)
            union
            select r.event_nid, r.pos, e.event_id, t.depth + 1 from tree t
            join event_relations r on r.room_nid = $1 and r.parent_id = t.event_id and ($3::text is null or r.rel_type = $3) and ($4::text is null or r.type = $4)
            join events e on e.event_nid = r.event_nid
            where t.depth < $5)
        select event_nid, min(depth) from tree where pos > $6 and pos <= $7 group by event_nid, pos order by pos
        """;
    internal const string SqlChildrenForwards = Tree + " asc limit $8";
    internal const string SqlChildrenBackwards = Tree + " desc limit $8";

    internal const string SqlRoots =
        """
        select e.event_nid, t.latest from (
            select parent_id, max(pos) as latest, bool_or(sender = $3) as own from event_relations
            where room_nid = $1 and rel_type = 'm.thread' and pos <= $2 and sender <> all($4::text[]) group by parent_id) t
        join events e on e.event_id = t.parent_id and e.room_nid = $1
        where t.latest <= $5 and (not $6 or t.own or e.sender = $3)
        order by t.latest desc limit $7
        """;

    internal const string SqlThreadNews =
        """
        select r.room_nid, r.parent_id, e.event_nid, max(r.pos), count(*)
        from event_relations r join events e on e.event_id = r.parent_id and e.room_nid = r.room_nid
        where r.room_nid = any($1) and r.rel_type = 'm.thread' and r.pos > $2 and r.pos <= $3 and r.sender <> all($4::text[])
        group by r.room_nid, r.parent_id, e.event_nid having max(r.pos) <= $5 order by max(r.pos) desc limit $6
        """;

    internal const string SqlHasAnnotation =
        """
        select exists (select 1 from event_relations
        where room_nid = $1 and parent_id = $2 and rel_type = 'm.annotation' and type = $3 and sender = $4 and key is not distinct from $5)
        """;

    internal const string SqlRelated =
        """
        select q.event_id from unnest($1::bigint[], $2::text[]) as q(room_nid, event_id)
        where exists (
            select 1 from event_relations r
            where r.room_nid = q.room_nid and r.parent_id = q.event_id and r.pos <= $5
              and ($3::text[] is null or r.rel_type = any($3)) and ($4::text[] is null or r.sender = any($4)))
        """;
}

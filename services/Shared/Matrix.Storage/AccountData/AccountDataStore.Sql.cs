using Matrix.Storage.Streams;

namespace Matrix.Storage.AccountData;

public sealed partial class AccountDataStore
{
    internal const string SqlGet = "select content from account_data where user_id = $1 and room_id = $2 and type = $3 and not deleted";

    internal const string SqlOfRoom = "select type, content from account_data where user_id = $1 and room_id = $2 order by type";

    // What else follows from some types: push rules have a stream of their own, ignored users change what others' answers hold.
    private const string StreamRows =
        """
        stream_input as (
            select 'account_data'::text as stream, $1::text as key, $5::bytea as payload from written
            union all select 'push_rules', $1, ''::bytea from written w where w.type = 'm.push_rules' and w.room_id = ''
            union all select 'caches', 'ignored:' || $1, ''::bytea from written w where w.type = 'm.ignored_user_list' and w.room_id = '')
        """;

    internal const string SqlSet =
        """
        with written as (
            insert into account_data (user_id, room_id, type, content) values ($1, $2, $3, $4)
            on conflict (user_id, room_id, type) do update set content = excluded.content, deleted = false
                where account_data.content <> excluded.content or account_data.deleted
            returning room_id, type),
        """ + StreamRows + StreamStatement.Tail;

    internal const string SqlDelete =
        """
        with written as (
            update account_data set content = $4, deleted = true where user_id = $1 and room_id = $2 and type = $3 and not deleted returning room_id, type),
        """ + StreamRows + StreamStatement.Tail;

    /// <remarks>Locks the row, and makes it first when there is none.</remarks>
    internal const string SqlLock =
        """
        insert into account_data (user_id, room_id, type, content) values ($1, $2, $3, '{}')
        on conflict (user_id, room_id, type) do update set content = account_data.content returning content
        """;

    private const string MarkerTarget =
        """
        with room as (
            select r.room_nid from rooms r join room_memberships m on m.room_nid = r.room_nid
            where r.room_id = $2 and m.user_id = $1 and m.membership = 'join'),
        target as (
            select s.pos from room join events e on e.room_nid = room.room_nid join event_stream s on s.event_nid = e.event_nid
            where e.event_id = $3)
        """;

    internal const string SqlSetFullyRead = MarkerTarget +
        """
        , written as (
            insert into account_data (user_id, room_id, type, content) select $1, $2, 'm.fully_read', $4 from target
            on conflict (user_id, room_id, type) do update set content = excluded.content
            where coalesce((
                select s.pos from events e join event_stream s on s.event_nid = e.event_nid
                where e.event_id = convert_from(account_data.content, 'UTF8')::json ->> 'event_id'), -9223372036854775808)
                < (select pos from target)
            returning room_id, type),
        """ + StreamRows + StreamStatement.Tail;

    internal const string SqlMarkerFacts = MarkerTarget + " select exists (select 1 from room), exists (select 1 from target)";
}

namespace Matrix.Storage.Keys;

public sealed partial class KeyBackupStore
{
    private const string SqlLockUser = CrossSigningStore.SqlLock;

    internal const string SqlCreate =
        """
        insert into key_backups (user_id, version, algorithm, auth_data)
        select $1, coalesce(max(version), 0) + 1, $2, $3 from key_backups where user_id = $1 returning version
        """;
    /// <remarks>$2 null: the newest one.</remarks>
    internal const string SqlFind =
        """
        select version, algorithm, auth_data, etag, key_count from key_backups
        where user_id = $1 and not deleted and ($2::bigint is null or version = $2) order by version desc limit 1
        """;
    internal const string SqlSetAuthData = "update key_backups set auth_data = $3 where user_id = $1 and version = $2 and not deleted";
    internal const string SqlDelete =
        """
        with gone as (
            update key_backups set deleted = true, key_count = 0, auth_data = '{}' where user_id = $1 and version = $2 and not deleted returning version),
        emptied as (delete from key_backup_sessions where user_id = $1 and version = $2 and exists (select 1 from gone))
        select version from gone
        """;

    /// <remarks>Writers of a backup come one after the other. A statement of its own: the next one then sees what the one before has written.</remarks>
    internal const string SqlLockNewest =
        "select version from key_backups where user_id = $1 and not deleted order by version desc limit 1 for no key update";

    /// <remarks>
    /// Written only into the newest version. Of two keys of a session the better one stays: verified before not, then the lower first index, then
    /// the one that was forwarded less often (client-server-api/#server-side-key-backups).
    /// </remarks>
    internal const string SqlPut =
        """
        with newest as (select max(version) as version from key_backups where user_id = $1 and not deleted),
        written as (
            insert into key_backup_sessions as s (user_id, version, room_id, session_id, first_message_index, forwarded_count, is_verified, session_data)
            select $1, n.version, i.room_id, i.session_id, i.first_message_index, i.forwarded_count, i.is_verified, i.session_data
            from unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::boolean[], $8::bytea[])
                as i(room_id, session_id, first_message_index, forwarded_count, is_verified, session_data), newest n
            where n.version = $2
            on conflict (user_id, version, room_id, session_id) do update set
                first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
                is_verified = excluded.is_verified, session_data = excluded.session_data
            where (excluded.is_verified and not s.is_verified)
               or (excluded.is_verified = s.is_verified
                   and (excluded.first_message_index, excluded.forwarded_count) < (s.first_message_index, s.forwarded_count))
            returning (s.xmax = 0) as is_new),
        moved as (
            update key_backups b set etag = b.etag + 1, key_count = b.key_count + (select count(*) from written where is_new)
            where b.user_id = $1 and b.version = $2 and exists (select 1 from written) returning b.version)
        select count(*) from moved
        """;

    /// <remarks>$3 null: of all rooms; $4 null: all sessions of the room.</remarks>
    internal const string SqlGet =
        """
        select room_id, session_id, first_message_index, forwarded_count, is_verified, session_data from key_backup_sessions
        where user_id = $1 and version = $2 and ($3::text is null or room_id = $3) and ($4::text is null or session_id = $4)
        order by room_id, session_id
        """;

    /// <remarks>As <see cref="SqlGet"/>.</remarks>
    internal const string SqlDeleteSessions =
        """
        with gone as (
            delete from key_backup_sessions
            where user_id = $1 and version = $2 and ($3::text is null or room_id = $3) and ($4::text is null or session_id = $4) returning session_id)
        update key_backups b set etag = b.etag + 1, key_count = b.key_count - (select count(*) from gone)
        where b.user_id = $1 and b.version = $2 and exists (select 1 from gone)
        """;
    /// <remarks>Before <see cref="SqlDeleteSessions"/>, so that the count follows.</remarks>
    internal const string SqlLockVersion = "select version from key_backups where user_id = $1 and version = $2 and not deleted for no key update";
}

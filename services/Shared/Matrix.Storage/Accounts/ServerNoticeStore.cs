using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Accounts;

/// <param name="Looks">Names, topic and pictures when they were last set.</param>
/// <param name="Membership">The user's; null: none.</param>
public sealed record NoticeRoom(string RoomId, string Looks, string? Membership);

/// <summary>Which room a user gets server notices in.</summary>
public sealed class ServerNoticeStore(Database database)
{
    internal const string SqlFind =
        """
        select n.room_id, n.looks, m.membership from server_notice_rooms n join rooms r on r.room_id = n.room_id
        left join room_memberships m on m.room_nid = r.room_nid and m.user_id = n.user_id where n.user_id = $1
        """;
    internal const string SqlLock = "select pg_advisory_xact_lock(hashtextextended('server_notices ' || $1, 0))";
    internal const string SqlSet =
        """
        insert into server_notice_rooms (user_id, room_id, looks) values ($1, $2, $3)
        on conflict (user_id) do update set room_id = excluded.room_id, looks = excluded.looks,
            usage_event_id = case when server_notice_rooms.room_id = excluded.room_id then server_notice_rooms.usage_event_id end
        """;
    internal const string SqlSetSender =
        """
        with account as (insert into users (user_id, created_ts_ms, user_type) values ($1, extract(epoch from now())::bigint * 1000, 'bot') on conflict (user_id) do nothing),
        profile as (
            insert into profiles (user_id, displayname, avatar_url) values ($1, $2, $3)
            on conflict (user_id) do update set displayname = excluded.displayname, avatar_url = excluded.avatar_url
            returning user_id),
        stream_input as (select 'caches'::text as stream, 'profile:' || p.user_id as key, ''::bytea as payload from profile p)
        """ + StreamStatement.Tail;

    public async Task<NoticeRoom?> FindAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        return await ReadAsync(command, ct);
    }

    /// <summary>
    /// Finds or changes the room while no other instance can. <paramref name="change"/> gets what is there (null: none) and returns the room and its looks.
    /// </summary>
    public Task<string> ChangeAsync(string userId, Func<NoticeRoom?, Task<(string RoomId, string Looks)>> change, CancellationToken ct) =>
        database.InTransactionAsync(async tx =>
        {
            await using var take = new NpgsqlCommand(SqlLock, tx.Connection, tx);
            take.Parameters.AddWithValue(userId);
            await take.ExecuteNonQueryAsync(ct);
            await using var find = new NpgsqlCommand(SqlFind, tx.Connection, tx);
            find.Parameters.AddWithValue(userId);
            var (room, looks) = await change(await ReadAsync(find, ct));
            await using var set = new NpgsqlCommand(SqlSet, tx.Connection, tx);
            set.Parameters.AddWithValue(userId);
            set.Parameters.AddWithValue(room);
            set.Parameters.AddWithValue(looks);
            await set.ExecuteNonQueryAsync(ct);
            return room;
        }, ct);

    /// <summary>The user whom notices come from, who is made when there is none.</summary>
    public async Task<IReadOnlyList<StreamBatch>> SetSenderAsync(string userId, string? displayName, string? avatarUrl, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSetSender);
        command.Parameters.AddWithValue(userId);
        command.Parameters.Add(StoreParameters.Text(displayName));
        command.Parameters.Add(StoreParameters.Text(avatarUrl));
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }

    private static async Task<NoticeRoom?> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? new(r.GetString(0), r.GetString(1), r.IsDBNull(2) ? null : r.GetString(2)) : null;
    }
}

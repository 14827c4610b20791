using Npgsql;

namespace Matrix.Storage.Push;

/// <summary>A pusher as who pushes needs it.</summary>
/// <param name="Data">JSON object, as its user gave it.</param>
/// <param name="LastPos">Position in stream events up to which was pushed.</param>
/// <param name="FailingSinceMs">Null: the last delivery succeeded.</param>
public sealed record PusherState(
    string UserId, string AppId, string Pushkey, byte[] Data, long CreatedTsMs, long LastPos, long? FailingSinceMs);

/// <summary>A user whom an event of a room may concern.</summary>
/// <param name="JoinedPos">Position of his membership event in stream events.</param>
/// <param name="MemberJson">That event.</param>
/// <param name="BeforeJson">The member event that it replaced; null: none.</param>
public sealed record JoinedUser(string UserId, long JoinedPos, byte[] MemberJson, byte[]? BeforeJson);

/// <summary>How far a user has read in a room.</summary>
/// <param name="IsInvited">False: he is in it.</param>
/// <param name="TurnedPos">Position of his membership event in stream events: what came before is read.</param>
/// <param name="Sender">Of that event.</param>
/// <param name="Threads">Positions of his receipts, and of what he has sent, by thread; empty: of all of them.</param>
public sealed record RoomRead(long RoomNid, string RoomId, bool IsInvited, long TurnedPos, string Sender, Dictionary<string, long> Threads)
{
    /// <summary>Of a thread, or the main timeline ("main"); empty: of everything.</summary>
    public long ReadUpTo(string thread) => Math.Max(Math.Max(TurnedPos, Threads.GetValueOrDefault("")), Threads.GetValueOrDefault(thread));

    /// <summary>What came after that is read in no thread.</summary>
    public long Newest => Threads.Values.Append(TurnedPos).Max();
}

/// <summary>What service Push reads and saves: pushers, who is where, what is unread.</summary>
public sealed class PusherStore(Database database)
{
    internal const string SqlLoad =
        """
        select user_id, app_id, pushkey, data, created_ts_ms, last_pos, failing_since_ts_ms from pushers
        where kind = 'http' and enabled and (user_id = any($1) or $1::text[] is null)
        """;
    internal const string SqlSave =
        """
        update pushers p set last_pos = greatest(p.last_pos, s.pos), failing_since_ts_ms = s.failing
        from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) as s(app_id, pushkey, user_id, pos, failing)
        where p.app_id = s.app_id and p.pushkey = s.pushkey and p.user_id = s.user_id
        """;
    internal const string SqlJoined =
        """
        select m.user_id, m.pos, e.json, b.json
        from room_memberships m join events e on e.event_nid = m.event_nid left join events b on b.event_nid = e.replaces_nid
        where m.room_nid = $1 and m.membership = 'join' and m.user_id = any($2)
        """;
    internal const string SqlMembers =
        """
        select m.room_nid, m.user_id, e.json
        from unnest($1::bigint[], $2::text[]) as q(room_nid, user_id)
        join room_memberships m on m.room_nid = q.room_nid and m.user_id = q.user_id join events e on e.event_nid = m.event_nid
        """;
    internal const string SqlCountJoined = "select count(*) from room_memberships where room_nid = $1 and membership = 'join'";
    internal const string SqlAccountData =
        "select user_id, type, content from account_data where room_id = '' and user_id = any($1) and type in ('m.push_rules', 'm.ignored_user_list')";

    internal const string SqlRead =
        """
        select m.room_nid, r.room_id, m.membership, m.pos, m.sender, c.thread_id, max(c.event_pos)
        from room_memberships m
        join rooms r on r.room_nid = m.room_nid
        left join lateral (
            select thread_id, event_pos from receipts where room_id = r.room_id and user_id = $1 and receipt_type in ('m.read', 'm.read.private')
            union all
            select thread_id, event_pos from implied_receipts where room_nid = m.room_nid and user_id = $1) c on true
        where m.user_id = $1 and m.membership in ('join', 'invite') and (r.room_id = any($2) or $2::text[] is null)
        group by m.room_nid, r.room_id, m.membership, m.pos, m.sender, c.thread_id
        """;

    // Flags: no outlier, rejected, soft-failed or redacted one. What relates to nothing is in the main timeline.
    internal const string SqlNewest =
        """
        select s.pos, q.room_nid, s.event_nid,
               e.sender <> $1 and e.flags & 15 = 0 and (s.pos > q.main or exists (select 1 from event_relations x where x.event_nid = s.event_nid))
        from unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) as q(room_nid, after, main, below)
        cross join lateral (
            select l.pos, l.event_nid from event_stream l
            where l.room_nid = q.room_nid and l.pos > q.after and l.pos < q.below
            order by l.pos desc limit $6) s
        join events e on e.event_nid = s.event_nid
        """;

    /// <summary>HTTP pushers that are switched on; of all users when <paramref name="userIds"/> is null.</summary>
    public async Task<List<PusherState>> LoadAsync(IReadOnlyCollection<string>? userIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlLoad);
        command.Parameters.Add(TextsOrNull(userIds));
        var pushers = new List<PusherState>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            pushers.Add(new(r.GetString(0), r.GetString(1), r.GetString(2), r.GetFieldValue<byte[]>(3), r.GetInt64(4), r.GetInt64(5),
                r.IsDBNull(6) ? null : r.GetInt64(6)));
        return pushers;
    }

    /// <summary>Saves positions (never back) and failures. Pushers that are gone are left alone.</summary>
    public async Task SaveAsync(IReadOnlyList<PusherState> states, CancellationToken ct)
    {
        if (states.Count == 0) return;
        await using var command = database.Source.CreateCommand(SqlSave);
        command.Parameters.AddWithValue(states.Select(s => s.AppId).ToArray());
        command.Parameters.AddWithValue(states.Select(s => s.Pushkey).ToArray());
        command.Parameters.AddWithValue(states.Select(s => s.UserId).ToArray());
        command.Parameters.AddWithValue(states.Select(s => s.LastPos).ToArray());
        command.Parameters.AddWithValue(states.Select(s => s.FailingSinceMs).ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Those of some users who are joined to a room.</summary>
    public async Task<List<JoinedUser>> JoinedAsync(long roomNid, IReadOnlyCollection<string> userIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlJoined);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(userIds.ToArray());
        var joined = new List<JoinedUser>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            joined.Add(new(r.GetString(0), r.GetInt64(1), r.GetFieldValue<byte[]>(2), r.IsDBNull(3) ? null : r.GetFieldValue<byte[]>(3)));
        return joined;
    }

    /// <summary>Current member events; who has none is omitted.</summary>
    public async Task<List<(long RoomNid, string UserId, byte[] Json)>> MembersAsync(IReadOnlyCollection<(long RoomNid, string UserId)> members, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMembers);
        command.Parameters.AddWithValue(members.Select(m => m.RoomNid).ToArray());
        command.Parameters.AddWithValue(members.Select(m => m.UserId).ToArray());
        var found = new List<(long, string, byte[])>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) found.Add((r.GetInt64(0), r.GetString(1), r.GetFieldValue<byte[]>(2)));
        return found;
    }

    public async Task<long> CountJoinedAsync(long roomNid, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCountJoined);
        command.Parameters.AddWithValue(roomNid);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Global account data that decides about pushing: user, type, content. What nobody set is omitted.</summary>
    public async Task<List<(string UserId, string Type, byte[] Content)>> AccountDataAsync(IReadOnlyCollection<string> userIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAccountData);
        command.Parameters.AddWithValue(userIds.ToArray());
        var found = new List<(string, string, byte[])>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) found.Add((r.GetString(0), r.GetString(1), r.GetFieldValue<byte[]>(2)));
        return found;
    }

    /// <summary>Rooms that the user is in or invited to, and how far he has read there; of some rooms unless <paramref name="roomIds"/> is null.</summary>
    public async Task<IReadOnlyCollection<RoomRead>> ReadAsync(string userId, IReadOnlyCollection<string>? roomIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRead);
        command.Parameters.AddWithValue(userId);
        command.Parameters.Add(TextsOrNull(roomIds));
        var rooms = new Dictionary<long, RoomRead>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            if (!rooms.TryGetValue(r.GetInt64(0), out var room))
                rooms[r.GetInt64(0)] = room = new(r.GetInt64(0), r.GetString(1), r.GetString(2) == "invite", r.GetInt64(3), r.GetString(4), new(StringComparer.Ordinal));
            if (!r.IsDBNull(6)) room.Threads[r.GetString(5)] = r.GetInt64(6);
        }
        return rooms.Values;
    }

    /// <summary>
    /// The newest events of each room that no unthreaded receipt of the user has reached, at most <paramref name="perRoom"/>, below a position: position, room,
    /// event, and whether it may count as unread.
    /// </summary>
    public async Task<List<(long Pos, long RoomNid, long EventNid, bool MayCount)>> NewestAsync(
        string userId, IReadOnlyCollection<(RoomRead Room, long Below)> rooms, int perRoom, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlNewest);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(rooms.Select(q => q.Room.RoomNid).ToArray());
        command.Parameters.AddWithValue(rooms.Select(q => q.Room.ReadUpTo("")).ToArray());
        command.Parameters.AddWithValue(rooms.Select(q => q.Room.ReadUpTo("main")).ToArray());
        command.Parameters.AddWithValue(rooms.Select(q => q.Below).ToArray());
        command.Parameters.AddWithValue(perRoom);
        var newest = new List<(long, long, long, bool)>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) newest.Add((r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetBoolean(3)));
        return newest;
    }

    private static NpgsqlParameter TextsOrNull(IReadOnlyCollection<string>? texts) =>
        new() { Value = (object?)texts?.ToArray() ?? DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Array | NpgsqlTypes.NpgsqlDbType.Text };
}

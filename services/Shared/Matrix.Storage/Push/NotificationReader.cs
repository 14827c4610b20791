using Matrix.Storage.Receipts;

namespace Matrix.Storage.Push;

/// <summary>An event that a user may have been notified of: position in stream events, room, event.</summary>
public readonly record struct NotificationCandidate(long Position, long RoomNid, long EventNid);

/// <summary>What <c>GET /notifications</c> looks through: nothing is written for it.</summary>
public sealed class NotificationReader(Database database)
{
    // Newest first: what others sent to the rooms of the user, and invites to him. Flags: no outlier, rejected, soft-failed or redacted one.
    internal const string SqlCandidates =
        """
        select c.pos, c.room_nid, c.event_nid
        from (
            select l.pos, l.room_nid, l.event_nid
            from room_memberships m
            cross join lateral (
                select s.pos, s.room_nid, s.event_nid from event_stream s join events e on e.event_nid = s.event_nid
                where s.room_nid = m.room_nid and s.pos > 0 and s.pos < $2 and e.sender <> $1 and e.flags & 15 = 0
                order by s.pos desc limit $3) l
            where m.user_id = $1 and m.membership = 'join'
            union all
            select m.pos, m.room_nid, m.event_nid from room_memberships m
            where m.user_id = $1 and m.membership = 'invite' and m.pos > 0 and m.pos < $2) c
        order by c.pos desc limit $3
        """;
    internal const string SqlReceipts =
        """
        select x.room_id, x.thread_id, max(x.event_pos)
        from (
            select room_id, thread_id, event_pos from receipts
            where room_id = any($2) and user_id = $1 and receipt_type in ('m.read', 'm.read.private') and event_pos is not null
            union all
            select r.room_id, i.thread_id, i.event_pos from rooms r join implied_receipts i on i.room_nid = r.room_nid and i.user_id = $1
            where r.room_id = any($2)) x
        group by x.room_id, x.thread_id
        """;
    internal const string SqlCountJoined =
        "select room_nid, count(*) from room_memberships where room_nid = any($1) and membership = 'join' group by room_nid";

    /// <summary>The newest <paramref name="limit"/> before a position.</summary>
    public async Task<List<NotificationCandidate>> CandidatesAsync(string userId, long before, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCandidates);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(before);
        command.Parameters.AddWithValue(limit);
        var found = new List<NotificationCandidate>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) found.Add(new(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)));
        return found;
    }

    public async Task<List<ReadReceipt>> ReceiptsAsync(string userId, IReadOnlyCollection<string> roomIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlReceipts);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(roomIds.ToArray());
        var found = new List<ReadReceipt>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) found.Add(new(r.GetString(0), r.GetString(1), r.GetInt64(2)));
        return found;
    }

    /// <summary>Joined members by room.</summary>
    public async Task<Dictionary<long, long>> CountJoinedAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCountJoined);
        command.Parameters.AddWithValue(roomNids.ToArray());
        var counts = new Dictionary<long, long>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) counts[r.GetInt64(0)] = r.GetInt64(1);
        return counts;
    }
}

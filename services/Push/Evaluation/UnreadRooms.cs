using System.Collections.Concurrent;

namespace Matrix.Push.Evaluation;

/// <summary>
/// The badges of users: rooms with something unread that notifies. Found in the database when first asked for (<see cref="UnreadFinder"/>), kept up with the
/// streams afterwards; a room is looked at again only where what is known of it does not say what else is unread. Synapse: rooms are counted, not messages.
/// Written by the engine alone, where the streams are applied, so that nothing is counted twice or lost.
/// </summary>
internal sealed class UnreadRooms(UnreadFinder finder, ThreadRoots threads, TimeProvider clock)
{
    private const int MaxUsers = 20_000;

    private readonly ConcurrentDictionary<string, Counted> known = new(StringComparer.Ordinal);
    /// <summary>Rooms in which something has changed that decides what notifies: they are looked at again before the user is told a number.</summary>
    private readonly Dictionary<string, HashSet<string>> doubtful = new(StringComparer.Ordinal);

    private sealed class Counted(Dictionary<string, UnreadRoom> found, long asOf)
    {
        public ConcurrentDictionary<string, UnreadRoom> Rooms { get; } = new(found, StringComparer.Ordinal);
        /// <summary>Position in stream events that this holds for: the engine may go back for the sake of a pusher.</summary>
        public long AsOf { get; set; } = asOf;
    }

    public void Clear()
    {
        known.Clear();
        doubtful.Clear();
    }

    public void Forget(string userId)
    {
        known.TryRemove(userId, out _);
        doubtful.Remove(userId);
    }

    public bool Knows(string userId) => known.ContainsKey(userId);

    /// <summary>As of this moment. Null: not counted yet.</summary>
    public int? Count(string userId)
    {
        if (!known.TryGetValue(userId, out var user)) return null;
        var (now, count) = (NowMs, 0);
        foreach (var (_, room) in user.Rooms) if (room.ExpiresTsMs >= now) count++;
        return count;
    }

    private long NowMs => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Makes the count right as of a position.</summary>
    /// <param name="users">All who have pushers here, the user among them.</param>
    public async ValueTask EnsureAsync(string userId, IReadOnlyCollection<string> users, long upTo, CancellationToken ct)
    {
        if (!known.TryGetValue(userId, out var user))
        {
            var found = await finder.FindAsync(userId, null, users, upTo, ct);
            if (known.Count >= MaxUsers) Clear();
            known[userId] = new(found, upTo);
        }
        else
        {
            var (now, again) = (NowMs, doubtful.Remove(userId, out var doubted) ? doubted : []);
            foreach (var (roomId, room) in user.Rooms)
            {
                if (room.ExpiresTsMs >= now) continue;
                // What stays, a state event, may be behind the messages that are gone.
                if (room.IsWhole) user.Rooms.TryRemove(roomId, out _);
                else again.Add(roomId);
            }
            if (again.Count > 0) await FindAgainAsync(userId, user, again, users, upTo, ct);
        }
    }

    private async Task FindAgainAsync(
        string userId, Counted user, IReadOnlyCollection<string> roomIds, IReadOnlyCollection<string> users, long upTo, CancellationToken ct)
    {
        var found = await finder.FindAsync(userId, roomIds, users, Math.Max(user.AsOf, upTo), ct);
        foreach (var roomId in roomIds)
        {
            if (found.TryGetValue(roomId, out var room)) user.Rooms[roomId] = room;
            else user.Rooms.TryRemove(roomId, out _);
        }
    }

    public void Notified(string userId, string roomId, UnreadNotice notice)
    {
        if (!known.TryGetValue(userId, out var user) || notice.Position <= user.AsOf) return;
        user.AsOf = notice.Position;
        user.Rooms.GetOrAdd(roomId, static _ => new UnreadRoom()).Add(notice);
    }

    /// <summary>True when the badge falls.</summary>
    public async ValueTask<bool> ReadAsync(ReadUpTo receipt, IReadOnlyCollection<string> users, long upTo, CancellationToken ct)
    {
        var (userId, roomId, thread) = (receipt.UserId, receipt.RoomId, receipt.ThreadId);
        if (!known.TryGetValue(userId, out var user) || !user.Rooms.TryGetValue(roomId, out var room) || receipt.Position is not { } position) return false;
        if (thread.Length == 0) room.ReadAll(position);
        else
        {
            await threads.FindAsync(room.Notices.Where(n => n.Position <= position), ct);
            room.Read(thread, position);
        }
        if (!room.IsEmpty) return false;
        if (room.IsWhole) user.Rooms.TryRemove(roomId, out _);
        else await FindAgainAsync(userId, user, [roomId], users, upTo, ct);
        return !user.Rooms.ContainsKey(roomId);
    }

    /// <summary>The user has come into the room, or left it, or is invited: what came before is read. True when the badge changes.</summary>
    public bool Turned(string userId, string roomId, long position, bool isInvited)
    {
        if (!known.TryGetValue(userId, out var user) || position <= user.AsOf) return false;
        user.AsOf = position;
        if (!isInvited) return user.Rooms.TryRemove(roomId, out _);
        user.Rooms[roomId] = new UnreadRoom { IsInvitation = true };
        return false;       // the notification of the invitation tells it
    }

    /// <summary>The room has other rules now: its power levels, or whether it has two members.</summary>
    public void Doubt(string roomId, IEnumerable<Listener> listeners)
    {
        foreach (var listener in listeners)
        {
            if (!known.ContainsKey(listener.UserId)) continue;
            if (!doubtful.TryGetValue(listener.UserId, out var rooms)) doubtful[listener.UserId] = rooms = new(StringComparer.Ordinal);
            rooms.Add(roomId);
        }
    }

    /// <summary>An event was redacted, so it is not unread any more: users who have counted it, when their badges fall.</summary>
    public async Task<List<string>> RedactedAsync(string roomId, string eventId, IReadOnlyCollection<string> users, long upTo, CancellationToken ct)
    {
        var fallen = new List<string>();
        foreach (var (userId, user) in known)
        {
            if (!user.Rooms.TryGetValue(roomId, out var room) || !room.Notices.Any(n => n.EventId == eventId)) continue;
            await FindAgainAsync(userId, user, [roomId], users, upTo, ct);
            if (!user.Rooms.ContainsKey(roomId)) fallen.Add(userId);
        }
        return fallen;
    }
}

using System.Collections.Concurrent;
using Matrix.Events;
using Matrix.Storage.Events;
using Matrix.Storage.Push;

namespace Matrix.Push.Evaluation;

/// <summary>
/// The badge of a user: rooms with something unread that would notify. Counted from the database when first asked for (the newest unread events
/// of each room decide), kept up with the streams afterwards. Synapse: rooms are counted, not messages.
/// </summary>
internal sealed class UnreadRooms(PusherStore store, EventReader events, RoomAudiences audiences, UserSettingsCache settings)
{
    private const int EventsPerRoom = 5;
    private const int MaxUsers = 20_000;

    /// <summary>For each user the rooms that are unread, and the newest position there that notified.</summary>
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, long>> known = new(StringComparer.Ordinal);

    public void Clear() => known.Clear();
    public void Forget(string userId) => known.TryRemove(userId, out _);

    /// <summary>Null: not counted yet.</summary>
    public int? Count(string userId) => known.TryGetValue(userId, out var rooms) ? rooms.Count : null;

    public void Notified(string userId, string roomId, long position)
    {
        if (known.TryGetValue(userId, out var rooms)) rooms[roomId] = position;
    }

    /// <summary>True when the badge changes: everything that notified in the room was read.</summary>
    public bool Read(string userId, string roomId, long upTo)
    {
        if (!known.TryGetValue(userId, out var rooms) || !rooms.TryGetValue(roomId, out var newest) || newest > upTo) return false;
        return rooms.TryRemove(new KeyValuePair<string, long>(roomId, newest));
    }

    /// <summary>Something was redacted in the room: who has it unread has to be counted anew. Those users, with their badges until now.</summary>
    public List<(string UserId, int Count)> Redacted(string roomId)
    {
        var concerned = new List<(string, int)>();
        foreach (var (userId, rooms) in known)
            if (rooms.ContainsKey(roomId) && known.TryRemove(userId, out _)) concerned.Add((userId, rooms.Count));
        return concerned;
    }

    /// <summary>Counts, as of a position; to be called where the streams are applied, so that nothing is counted twice or lost.</summary>
    /// <param name="users">All who have pushers here, the user among them.</param>
    public async Task LoadAsync(string userId, IReadOnlyCollection<string> users, long upTo, CancellationToken ct)
    {
        var candidates = await store.UnreadAsync(userId, upTo, EventsPerRoom, ct);
        var stored = (await events.ByNidsAsync([.. candidates.Select(c => c.EventNid)], ct)).ToDictionary(e => e.EventNid);
        var own = (await settings.OfAsync([userId], ct))[userId];
        var rooms = new ConcurrentDictionary<string, long>(StringComparer.Ordinal);
        foreach (var (pos, roomNid, eventNid) in candidates.OrderByDescending(c => c.Pos))
        {
            if (!stored.TryGetValue(eventNid, out var e) || rooms.ContainsKey(e.Pdu.RoomId) || own.Ignored.Contains(e.Pdu.Sender)) continue;
            var audience = await audiences.OfAsync(roomNid, users, ct);
            if (audience.Levels is null) continue;
            var listener = audience.Listeners.FirstOrDefault(l => l.UserId == userId);
            if (own.Rules.Evaluate(new PushEvent(e.Pdu, audience.Levels, audience.MemberCount), new PushUser(userId, listener?.DisplayName)).Notify)
                rooms[e.Pdu.RoomId] = pos;
        }
        if (known.Count >= MaxUsers) known.Clear();
        known[userId] = rooms;
    }
}

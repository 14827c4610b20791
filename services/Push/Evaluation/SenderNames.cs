using Matrix.Events;
using Matrix.Storage.Events;
using Matrix.Storage.Push;

namespace Matrix.Push.Evaluation;

/// <summary>
/// Display names of who sends, by room; bounded. Read when first needed, right afterwards because every member event of the room comes by.
/// Null: he has none.
/// </summary>
internal sealed class SenderNames(PusherStore store)
{
    private const int MaxNames = 100_000;
    private readonly Dictionary<long, Dictionary<string, string?>> known = [];
    private int count;

    public void Clear()
    {
        known.Clear();
        count = 0;
    }

    public async ValueTask<string?> OfAsync(long roomNid, string userId, CancellationToken ct)
    {
        if (known.GetValueOrDefault(roomNid)?.TryGetValue(userId, out var name) == true) return name;
        await LoadAsync([(roomNid, userId)], ct);
        return known[roomNid][userId];
    }

    /// <summary>One statement for all that are not known.</summary>
    public async ValueTask LoadAsync(IReadOnlyCollection<(long RoomNid, string UserId)> members, CancellationToken ct)
    {
        if (count > MaxNames) Clear();
        var missing = members.Where(m => known.GetValueOrDefault(m.RoomNid)?.ContainsKey(m.UserId) != true).ToList();
        if (missing.Count == 0) return;
        var found = (await store.MembersAsync(missing, ct)).ToDictionary(m => (m.RoomNid, m.UserId), m => MemberContent.Read(m.Json).DisplayName);
        foreach (var (roomNid, userId) in missing)
        {
            if (!known.TryGetValue(roomNid, out var room)) known[roomNid] = room = new(StringComparer.Ordinal);
            if (room.TryAdd(userId, found.GetValueOrDefault((roomNid, userId)))) count++;
        }
    }

    /// <summary>What an event changes.</summary>
    public void Apply(EventRow row)
    {
        if (!known.TryGetValue(row.RoomNid, out var room)) return;
        if ((row.Flags & EventFlags.StateMoved) != 0)
        {
            count -= room.Count;
            known.Remove(row.RoomNid);
        }
        else if (row is { IsCurrentState: true, Type: EventTypes.Member, StateKey: { } userId } && room.ContainsKey(userId))
        {
            room[userId] = MemberContent.Read(row.Json).DisplayName;
        }
    }
}

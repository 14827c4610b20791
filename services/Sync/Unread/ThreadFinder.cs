using Matrix.Events;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Unread;

/// <summary>
/// Which thread an event belongs to (<see cref="ThreadWalk"/>). What is not in memory is asked for together, for all events of an answer.
/// </summary>
internal sealed class ThreadFinder
{
    private readonly Dictionary<string, (long RoomNid, EventRelation? Relation)?> known = new(StringComparer.Ordinal);
    private readonly HashSet<string> unknown = new(StringComparer.Ordinal);

    /// <summary>Something has to be asked for first.</summary>
    public bool IsAsking => unknown.Count > 0;

    /// <summary>Event id of the root; null: none, or not known yet.</summary>
    /// <param name="mayAsk">False: what memory does not know belongs to no thread.</param>
    public string? RootOf(CachedEvent e, long roomNid, RoomCache room, bool mayAsk)
    {
        var walk = new ThreadWalk(EventRelation.Read(e.View));
        while (walk.Next is { } id)
        {
            if (room.Find(id) is { } parent) walk.Step(EventRelation.Read(parent.View));
            else if (known.TryGetValue(id, out var asked)) walk.Step(asked is { } found && found.RoomNid == roomNid ? found.Relation : null);
            else
            {
                if (mayAsk) unknown.Add(id);
                return null;
            }
        }
        return walk.Root;
    }

    public async Task AskAsync(ISyncStore store, CancellationToken ct)
    {
        foreach (var id in unknown) known[id] = null;
        foreach (var e in await store.EventsByIdsAsync(unknown, ct)) known[e.Pdu.EventId] = (e.RoomNid, EventRelation.Read(e.Pdu));
        unknown.Clear();
    }
}

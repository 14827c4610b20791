using Matrix.Events;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Unread;

/// <summary>
/// Which thread an event belongs to: the one that it names, or that what it relates to belongs to. What is not in memory is asked for together, for all
/// events of an answer. Spec: client-server-api/#threaded-read-receipts
/// </summary>
internal sealed class ThreadFinder
{
    /// <summary>Relations that are followed at most.</summary>
    public const int Hops = 3;

    private readonly Dictionary<string, (long RoomNid, EventRelation? Relation)?> known = new(StringComparer.Ordinal);
    private readonly HashSet<string> unknown = new(StringComparer.Ordinal);

    /// <summary>Something has to be asked for first.</summary>
    public bool IsAsking => unknown.Count > 0;

    /// <summary>Event id of the root; null: none, or not known yet.</summary>
    /// <param name="mayAsk">False: what memory does not know belongs to no thread.</param>
    public string? RootOf(CachedEvent e, long roomNid, RoomCache room, bool mayAsk)
    {
        var relation = EventRelation.Read(e.View);
        for (var hop = 0; relation is { } to; hop++)
        {
            if (to.RelType == RelationTypes.Thread) return to.ParentId;
            if (hop == Hops) return null;
            if (room.Find(to.ParentId) is { } parent) relation = EventRelation.Read(parent.View);
            else if (known.TryGetValue(to.ParentId, out var asked)) relation = asked is { } found && found.RoomNid == roomNid ? found.Relation : null;
            else
            {
                if (mayAsk) unknown.Add(to.ParentId);
                return null;
            }
        }
        return null;
    }

    public async Task AskAsync(ISyncStore store, CancellationToken ct)
    {
        foreach (var id in unknown) known[id] = null;
        foreach (var e in await store.EventsByIdsAsync(unknown, ct)) known[e.Pdu.EventId] = (e.RoomNid, EventRelation.Read(e.Pdu));
        unknown.Clear();
    }
}

using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.Push.Evaluation;

/// <summary>
/// Which thread notices belong to: the one that they name, or that what they relate to belongs to. Spec: client-server-api/#threaded-read-receipts
/// </summary>
internal sealed class ThreadRoots(EventReader events)
{
    /// <summary>Relations that are followed at most; as /sync does it.</summary>
    private const int Hops = 3;

    /// <summary>One statement for each step, however many notices.</summary>
    public async Task FindAsync(IEnumerable<UnreadNotice> notices, CancellationToken ct)
    {
        var open = notices.Where(n => n.Thread is null).Select(n => (Notice: n, n.Relation!.Value.ParentId)).ToList();
        for (var hop = 0; hop < Hops && open.Count > 0; hop++)
        {
            var parents = new Dictionary<string, StoredEvent>(StringComparer.Ordinal);
            foreach (var e in await events.ByIdsAsync([.. open.Select(o => o.ParentId).Distinct()], ct)) parents[e.Pdu.EventId] = e;
            var next = new List<(UnreadNotice, string)>();
            foreach (var (notice, parentId) in open)
            {
                var relation = parents.TryGetValue(parentId, out var parent) && parent.RoomNid == notice.RoomNid ? EventRelation.Read(parent.Pdu) : null;
                if (relation is { RelType: not RelationTypes.Thread } further) next.Add((notice, further.ParentId));
                else notice.Thread = relation?.ParentId ?? UnreadNotice.Main;
            }
            open = next;
        }
        foreach (var (notice, _) in open) notice.Thread = UnreadNotice.Main;
    }
}

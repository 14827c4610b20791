using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.Storage.Relations;

/// <summary>Finds out which threads events belong to, by what the database has (<see cref="ThreadWalk"/>).</summary>
public sealed class ThreadReader(EventReader events)
{
    /// <summary>Event ids of the roots, null for the main timeline, in the order of the events: one statement for each step, however many they are.</summary>
    public async Task<string?[]> RootsAsync(IReadOnlyList<(long RoomNid, EventRelation? Relation)> of, CancellationToken ct)
    {
        var walks = new ThreadWalk[of.Count];
        for (var i = 0; i < walks.Length; i++) walks[i] = new ThreadWalk(of[i].Relation);
        while (true)
        {
            var asked = walks.Select(w => w.Next).OfType<string>().Distinct().ToList();
            if (asked.Count == 0) return [.. walks.Select(w => w.Root)];
            var found = new Dictionary<string, StoredEvent>(StringComparer.Ordinal);
            foreach (var e in await events.ByIdsAsync(asked, ct)) found[e.Pdu.EventId] = e;
            for (var i = 0; i < walks.Length; i++)
                if (walks[i].Next is { } id) walks[i].Step(found.TryGetValue(id, out var e) && e.RoomNid == of[i].RoomNid ? EventRelation.Read(e.Pdu) : null);
        }
    }
}

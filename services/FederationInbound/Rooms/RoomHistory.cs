using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.FederationInbound.Rooms;

/// <summary>Walks the graph of a room for other servers.</summary>
internal sealed class RoomHistory(EventReader events, EventGraphReader graph, StateReader states)
{
    /// <summary>Events that one question may look at, whatever it gets.</summary>
    private const int MaxVisited = 1_000;

    public async Task<StoredEvent> RequireAsync(RoomRecord room, string eventId, CancellationToken ct) =>
        (await events.ByIdsAsync([eventId], ct)).FirstOrDefault(e => e.RoomNid == room.RoomNid && (e.Flags & (EventFlags.Outlier | EventFlags.Rejected)) == 0)
        ?? throw MatrixError.NotFound($"Could not find event {eventId}").AsException();

    /// <summary>Nids of the state before an event.</summary>
    public async Task<List<long>> StateBeforeAsync(StoredEvent e, CancellationToken ct)
    {
        if (e.SnapshotNid is not { } snapshot) return [];
        var state = await states.LoadAsync(snapshot, ct);
        var facts = (await graph.FactsByNidsAsync([e.EventNid], ct))[0];
        if (facts.StateKeyNid is { } key && state.GetValueOrDefault(key) == e.EventNid)
        {
            state.Remove(key);
            if (e.ReplacesEventId is { } replaced) foreach (var f in await graph.FactsByIdsAsync([replaced], ct)) state[key] = f.EventNid;
        }
        return [.. state.Values];
    }

    /// <summary>Nids of everything that those events rest on.</summary>
    public async Task<(List<string> Own, List<string> Chain)> AuthChainAsync(IReadOnlyCollection<long> of, CancellationToken ct)
    {
        var own = new HashSet<long>(of);
        var ids = new List<string>(of.Count);
        var chain = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (nid, id, auth) in await graph.AuthChainAsync(of, ct))
        {
            if (own.Contains(nid)) ids.Add(id);
            chain.UnionWith(auth);
        }
        return (ids, [.. chain]);
    }

    public async Task<List<Pdu>> PdusAsync(RoomRecord room, IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        var pdus = new List<Pdu>(ids.Count);
        foreach (var chunk in ids.Chunk(5_000)) foreach (var e in await graph.EventsAsync(room.RoomNid, room.Version, chunk, ct)) pdus.Add(e.Pdu);
        return pdus;
    }

    /// <summary>From those events back through their parents, the deepest first: at most <paramref name="limit"/>, without what <paramref name="stop"/> names.</summary>
    public async Task<List<StoredEvent>> BackAsync(
        RoomRecord room, IReadOnlyCollection<string> from, bool withFrom, IReadOnlyCollection<string> stop, long minDepth, int limit, CancellationToken ct)
    {
        var ends = new HashSet<string>(stop, StringComparer.Ordinal);
        var seen = new HashSet<long>();
        var found = new List<long>();
        var todo = new PriorityQueue<EventFacts, long>();
        foreach (var f in await graph.FactsByIdsAsync(from, ct))
        {
            if (f.RoomNid != room.RoomNid || f.IsOutlier || !seen.Add(f.EventNid)) continue;
            if (withFrom) todo.Enqueue(f, -f.Depth);
            else await EnqueueParentsAsync(f);
        }
        while (found.Count < limit && seen.Count < MaxVisited && todo.TryDequeue(out var next, out _))
        {
            if (next.IsAccepted) found.Add(next.EventNid);
            await EnqueueParentsAsync(next);
        }
        return [.. (await events.ByNidsAsync(found, ct)).OrderByDescending(e => e.Pdu.Depth)];

        async Task EnqueueParentsAsync(EventFacts of)
        {
            foreach (var f in await graph.FactsByNidsAsync([.. of.PrevNids.Where(n => !seen.Contains(n))], ct))
            {
                if (!seen.Add(f.EventNid) || f.RoomNid != room.RoomNid || f.IsOutlier || f.Depth < minDepth || ends.Contains(f.EventId)) continue;
                todo.Enqueue(f, -f.Depth);
            }
        }
    }
}

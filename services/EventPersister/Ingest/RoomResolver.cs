using Matrix.EventPersister.Actors;
using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Ingest;

/// <summary>
/// Resolves states of a room. Only the keys on which they differ are looked at; what the algorithm asks for and is not at hand is noted, read, and then the
/// algorithm runs again, so that it stays free of I/O. The auth graph that it learns stays with the room.
/// </summary>
internal sealed class RoomResolver(RoomState room, RoomStorage storage, IAuthContext context, INewEvents fresh)
{
    private readonly RoomState room = room;
    private readonly INewEvents fresh = fresh;
    /// <summary>Each round reads something new; a room that needs more is broken.</summary>
    private const int MaxRounds = 1_000;
    private const long MaxGraphBytes = 32 << 20;

    private readonly RoomStorage storage = storage;
    private readonly Dictionary<string, GraphEvent> events = new(StringComparer.Ordinal);
    private readonly Dictionary<long, GraphEvent> byNid = [];
    private readonly HashSet<StateKey> absentKeys = [];
    private readonly HashSet<string> absentIds = new(StringComparer.Ordinal);
    private readonly HashSet<string> wantedEvents = new(StringComparer.Ordinal), wantedChains = new(StringComparer.Ordinal);
    private readonly HashSet<long> wantedNids = [], wantedChainsOf = [];
    private readonly HashSet<StateKey> wantedKeys = [];

    /// <summary>The resolved state.</summary>
    public async ValueTask<StateLayer> ResolveAsync(IReadOnlyList<StateLayer> states, CancellationToken ct)
    {
        var first = states[0];
        var disputed = new HashSet<long>();
        for (var i = 1; i < states.Count; i++) foreach (var (key, _) in first.ChangesTo(states[i])) disputed.Add(key);
        if (disputed.Count == 0) return first;
        Diagnostics.Resolutions.Add(1);

        await NeedAsync(states.SelectMany(s => disputed.Select(k => s[k])).Where(static nid => nid != 0), ct);
        var keyNids = new Dictionary<StateKey, long>();
        var conflicts = new List<Dictionary<StateKey, string>>(states.Count);
        foreach (var state in states)
        {
            var own = new Dictionary<StateKey, string>();
            foreach (var key in disputed)
            {
                if (state[key] is not (var nid and not 0) || !byNid.TryGetValue(nid, out var e)) continue;
                own[e.Pdu.StatePair] = e.Pdu.EventId;
                keyNids[e.Pdu.StatePair] = key;
            }
            conflicts.Add(own);
        }
        var resolved = await RunAsync(conflicts, new Agreed(this, first, disputed), ct);
        var changes = new List<KeyValuePair<long, long>>(disputed.Count);
        foreach (var key in disputed) if (first[key] != 0) changes.Add(new(key, 0));
        foreach (var (key, id) in resolved)
        {
            // What the algorithm took from beyond the states has a key that they need not have.
            if (!keyNids.TryGetValue(key, out var keyNid)) keyNid = (await storage.StateKeys.GetOrAddAsync([key], ct))[0];
            changes.Add(new(keyNid, events[id].EventNid));
        }
        return first.With(changes);
    }

    private async ValueTask<Dictionary<StateKey, string>> RunAsync(List<Dictionary<StateKey, string>> conflicts, Agreed agreed, CancellationToken ct)
    {
        if (room.Graph is { } old && old.Bytes > MaxGraphBytes) room.Graph = null;
        // The room's graph asks whoever resolves at the moment.
        var graph = room.Graph ??= new RoomGraph();
        (graph.Fetch, graph.AuthEventsOf) = (Event, AuthEventsOf);
        for (var round = 0; round < MaxRounds; round++)
        {
            var resolved = StateResolver.ResolveConflicts(room.Version, conflicts, agreed, graph.Graph, Event, IsRejected, context);
            if (!await ReadWantedAsync(ct))
            {
                graph.Graph.ForgetEvents();
                return resolved;
            }
        }
        throw new InvalidDataException($"The state of room {room.RoomId} cannot be resolved: its events have no end.");
    }

    private Pdu? Event(string id)
    {
        if (events.TryGetValue(id, out var known)) return known.Pdu;
        if (fresh.Find(id) is { } ours)
        {
            Keep(ours);
            return ours.Pdu;
        }
        if (!absentIds.Contains(id)) wantedEvents.Add(id);
        return null;
    }

    private IReadOnlyList<string>? AuthEventsOf(string id)
    {
        if (fresh.Find(id) is { } ours) return ours.Pdu.AuthEvents;
        if (!absentIds.Contains(id)) wantedChains.Add(id);
        return null;
    }

    private bool IsRejected(string id) => events.TryGetValue(id, out var known) && known.IsRejected;

    private void Keep(GraphEvent e)
    {
        events[e.Pdu.EventId] = e;
        byNid[e.EventNid] = e;
    }

    private async ValueTask NeedAsync(IEnumerable<long> nids, CancellationToken ct)
    {
        wantedNids.UnionWith(nids);
        await ReadWantedAsync(ct);
    }

    /// <summary>False: nothing was wanted that could be read.</summary>
    private async ValueTask<bool> ReadWantedAsync(CancellationToken ct)
    {
        var any = false;
        if (wantedKeys.Count > 0)
        {
            StateKey[] keys = [.. wantedKeys];
            wantedKeys.Clear();
            var nids = await storage.StateKeys.FindAsync(keys, ct);
            for (var i = 0; i < keys.Length; i++) if (nids[i] == 0) absentKeys.Add(keys[i]);
            any = true;
        }
        if (wantedNids.Count > 0)
        {
            foreach (var nid in wantedNids) if (fresh.Find(nid) is { } ours) Keep(ours);
            long[] nids = [.. wantedNids.Where(n => !byNid.ContainsKey(n))];
            wantedNids.Clear();
            foreach (var chunk in nids.Chunk(5_000)) foreach (var e in await storage.Graph.EventsAsync(room.Version, chunk, ct)) Keep(e);
            any = true;
        }
        if (wantedEvents.Count > 0)
        {
            string[] ids = [.. wantedEvents];
            wantedEvents.Clear();
            foreach (var chunk in ids.Chunk(5_000)) foreach (var e in await storage.Graph.EventsAsync(room.RoomNid, room.Version, chunk, ct)) Keep(e);
            foreach (var id in ids) if (!events.ContainsKey(id)) absentIds.Add(id);
            any = true;
        }
        if (wantedChains.Count > 0)
        {
            string[] ids = [.. wantedChains];
            wantedChains.Clear();
            room.Graph!.Add(await storage.Graph.AuthChainAsync(room.RoomNid, ids, ct));
            foreach (var id in ids) if (!room.Graph.Graph.Knows(id)) absentIds.Add(id);
            any = true;
        }
        if (wantedChainsOf.Count > 0)
        {
            long[] nids = [.. wantedChainsOf];
            wantedChainsOf.Clear();
            room.Graph!.Add(await storage.Graph.AuthChainAsync(nids, ct));
            any = nids.Any(room.Graph.Ids.ContainsKey);
        }
        return any;
    }

    /// <summary>What the states have in common, read from their ints.</summary>
    private sealed class Agreed(RoomResolver resolver, StateLayer state, HashSet<long> disputed) : IAgreedState
    {
        public string? Get(StateKey key)
        {
            if (!resolver.storage.StateKeys.TryGet(key, out var keyNid))
            {
                if (!resolver.absentKeys.Contains(key)) resolver.wantedKeys.Add(key);
                return null;
            }
            return disputed.Contains(keyNid) ? null : IdOf(state[keyNid]);
        }

        public IEnumerable<string> All
        {
            get
            {
                // Ids and edges only: the events of a large room are not for memory.
                var known = resolver.room.Graph!.Ids;
                foreach (var (key, nid) in state.Pairs())
                {
                    if (disputed.Contains(key)) continue;
                    if (known.TryGetValue(nid, out var id) || (id = resolver.fresh.Find(nid)?.Pdu.EventId) is not null) yield return id;
                    else resolver.wantedChainsOf.Add(nid);
                }
            }
        }

        private string? IdOf(long nid)
        {
            if (nid == 0) return null;
            if (resolver.byNid.TryGetValue(nid, out var e)) return e.Pdu.EventId;
            resolver.wantedNids.Add(nid);
            return null;
        }
    }
}

/// <summary>Events that are not in the database yet.</summary>
internal interface INewEvents
{
    GraphEvent? Find(string eventId);
    GraphEvent? Find(long eventNid);
}

/// <summary>A room's auth graph, with places for whoever resolves at the moment.</summary>
internal sealed class RoomGraph
{
    public RoomGraph() => Graph = new AuthGraph(id => Fetch(id), id => AuthEventsOf(id));

    public AuthGraph Graph { get; }
    /// <summary>Ids of events whose auth events are known, by nid.</summary>
    public Dictionary<long, string> Ids { get; } = [];
    public long Bytes => Graph.Bytes + (Ids.Count * 48L);

    public void Add(IEnumerable<(long Nid, string Id, string[] AuthIds)> chain)
    {
        foreach (var (nid, id, auth) in chain)
        {
            Graph.Add(id, auth);
            Ids[nid] = id;
        }
    }

    public Func<string, Pdu?> Fetch { get; set; } = static _ => null;
    public Func<string, IReadOnlyList<string>?> AuthEventsOf { get; set; } = static _ => null;
}

using Matrix.Events;
using Matrix.Replication;
using Matrix.Storage.Events;
using Matrix.Storage.Sync;
using Matrix.Sync.Engine;
using Matrix.Sync.Store;

namespace Matrix.Sync.Rooms;

/// <summary>
/// Brings rooms into memory: one load a room however many ask, a few at a time, many rooms in one load, and rows that come meanwhile on top of it.
/// </summary>
internal sealed class RoomCacheLoader(SyncState state, ISyncStore store, CatchUp catchUp) : IDisposable
{
    /// <summary>Timeline events that a room is loaded with at least: several answers' worth.</summary>
    public const int Depth = 50;
    private const int RoomsPerLoad = 50, ParallelLoads = 4;
    private readonly SingleFlight loads = new();
    private readonly SemaphoreSlim slots = new(ParallelLoads, ParallelLoads);

    /// <summary>Afterwards the rooms have a cache, unless memory is so short that they were evicted again.</summary>
    public async Task LoadAsync(IReadOnlyCollection<(string Id, long Nid)> rooms, int timeline, CancellationToken ct)
    {
        var nids = rooms.ToDictionary(r => r.Id, r => r.Nid, StringComparer.Ordinal);
        var depth = Math.Max(Depth, timeline + timeline / 4);
        foreach (var chunk in nids.Keys.Chunk(RoomsPerLoad))
            await loads.RunAsync(chunk, ids => LoadChunkAsync(ids, nids, depth), ct);
    }

    private async Task LoadChunkAsync(List<string> roomIds, Dictionary<string, long> nids, int depth)
    {
        await slots.WaitAsync();
        try
        {
            var wanted = Register(roomIds, nids);
            if (wanted.Count == 0) return;
            try
            {
                var load = await store.LoadRoomsAsync([.. wanted.Select(r => r.Nid)], depth, default);
                var extra = await ReferencedAsync(load.Rooms.Values.SelectMany(r => r.Timeline.Concat(r.State)), load.Rooms.Values.SelectMany(r => r.State));
                var moves = await MovesAsync(load.Rooms.Values.SelectMany(r => r.Timeline));
                await catchUp.ReachAsync([(Streams.Events, load.EventsPosition)], default);
                var caches = wanted.Select(r => (Room: r, Cache: load.Rooms.TryGetValue(r.Nid, out var l) ? Build(l, extra, moves) : null)).ToList();
                using (state.Write()) foreach (var (room, cache) in caches) Install(room, cache, load.EventsPosition);
            }
            catch
            {
                using (state.Write()) foreach (var room in wanted) { room.Arriving = null; state.DropIfUnused(room); }
                throw;
            }
        }
        finally
        {
            slots.Release();
        }
    }

    private List<Room> Register(List<string> roomIds, Dictionary<string, long> nids)
    {
        var rooms = new List<Room>();
        using (state.Write())
        {
            foreach (var id in roomIds)
            {
                var room = state.RoomOf(id, nids[id]);
                if (room.Cache is not null) continue;
                room.Arriving = [];
                rooms.Add(room);
            }
        }
        return rooms;
    }

    /// <summary>Events that those quote: what state events replaced, and redactions. By id.</summary>
    private async Task<Dictionary<string, StoredEvent>> ReferencedAsync(IEnumerable<StoredEvent> quoting, IEnumerable<StoredEvent> known)
    {
        var byId = known.ToDictionary(e => e.Pdu.EventId, StringComparer.Ordinal);
        var missing = new HashSet<string>(StringComparer.Ordinal);
        foreach (var e in quoting)
        {
            byId.TryAdd(e.Pdu.EventId, e);
            if (e.RedactedBy is { } redaction) missing.Add(redaction);
            if (e.Pdu.IsState && e.ReplacesEventId is { } replaced) missing.Add(replaced);
        }
        missing.ExceptWith(byId.Keys);
        foreach (var e in await store.EventsByIdsAsync(missing, default)) byId[e.Pdu.EventId] = e;
        return byId;
    }

    /// <summary>What forks that were resolved changed with those events, by their nids. Seldom any, and then few.</summary>
    private async Task<Dictionary<long, List<Move>>> MovesAsync(IEnumerable<StoredEvent> timeline)
    {
        var moved = timeline.Where(e => (e.Flags & EventFlags.StateMoved) != 0).Select(e => e.EventNid).ToList();
        if (moved.Count == 0) return NoMoves;
        var stored = await store.StateMovesAsync(moved, default);
        var before = (await store.EventsByNidsAsync([.. stored.Select(m => m.BeforeNid).Where(n => n != 0).Distinct()], default))
            .ToDictionary(e => e.EventNid, e => CachedEvent.Of(e));
        return stored.GroupBy(m => m.EventNid).ToDictionary(
            g => g.Key, g => g.Select(m => new Move(m.Key, new StateRef(m.BeforeNid, before.GetValueOrDefault(m.BeforeNid)), m.NowNid)).ToList());
    }

    private static readonly Dictionary<long, List<Move>> NoMoves = [];

    private static CachedEvent ToCached(StoredEvent e, Dictionary<string, StoredEvent> byId) =>
        CachedEvent.Of(e, e.RedactedBy is { } id ? byId.GetValueOrDefault(id) : null);

    private static List<Slot> Slots(
        IEnumerable<StoredEvent> ascending, Dictionary<string, StoredEvent> byId, Dictionary<long, CachedEvent> cached, Dictionary<long, List<Move>> moves)
    {
        var slots = new List<Slot>();
        foreach (var e in ascending)
        {
            var replaced = default(StateRef);
            if (e.Pdu.IsState && e.ReplacesEventId is { } id && byId.TryGetValue(id, out var before))
                replaced = new(before.EventNid, Cached(before));
            slots.Add(new Slot(Cached(e), replaced) { Moves = moves.GetValueOrDefault(e.EventNid) });
        }
        return slots;

        CachedEvent Cached(StoredEvent e)
        {
            if (!cached.TryGetValue(e.EventNid, out var c)) cached[e.EventNid] = c = ToCached(e, byId);
            return c;
        }
    }

    private static RoomCache? Build(RoomLoad load, Dictionary<string, StoredEvent> byId, Dictionary<long, List<Move>> moves)
    {
        if (RoomVersions.Find(load.Version) is not { } version) return null;
        var cached = new Dictionary<long, CachedEvent>();
        foreach (var e in load.State) cached[e.EventNid] = ToCached(e, byId);
        var state = cached.Values.Where(e => !e.IsMember).ToList();
        var window = Slots(load.Timeline, byId, cached, moves);
        var floor = load.IsWhole ? long.MinValue : window[0].Event.Position - 1;
        var members = load.Members.Select(m => KeyValuePair.Create(m.UserId,
            new Member(MembershipNames.Parse(m.Membership), m.Position, m.EventNid, cached.GetValueOrDefault(m.EventNid))));
        return new RoomCache(version, floor, window, state, members, load.Related);
    }

    private void Install(Room room, RoomCache? cache, long asOf)
    {
        foreach (var (position, e, isCurrentState) in room.Arriving!)
            if (cache is not null && position > asOf && (e is null || !cache.Append(e, isCurrentState))) cache = null;
        room.Arriving = null;
        room.Cache = cache;
        if (cache is { Window.Count: > 0 }) room.LastEvent = Math.Max(room.LastEvent, cache.Window[^1].Event.Position);
        if (cache is null) state.DropIfUnused(room);
    }

    /// <summary>Older events in front of the windows, for all rooms at once. Where a cache has changed meanwhile nothing comes of it: look again.</summary>
    public async Task ExtendAsync(IReadOnlyCollection<(Room Room, RoomCache Cache)> shallow, int count, CancellationToken ct)
    {
        foreach (var chunk in shallow.Chunk(RoomsPerLoad))
        {
            var caches = chunk.ToDictionary(s => s.Room.Id, StringComparer.Ordinal);
            await loads.RunAsync(caches.Keys, ids => PrependAsync(ids.ConvertAll(id => caches[id]), count), ct);
        }
    }

    private async Task PrependAsync(List<(Room Room, RoomCache Cache)> shallow, int count)
    {
        var floors = shallow.Where(s => s.Cache.Floor != long.MinValue).Select(s => (s.Room, s.Cache, s.Cache.Floor)).ToList();
        var older = await store.TimelinesAsync([.. floors.Select(f => new TimelineRange(f.Room.Nid, long.MinValue, f.Floor))], count, default);
        var events = older.Values.SelectMany(load => load.Events).ToList();
        var (byId, moves) = (await ReferencedAsync(events, []), await MovesAsync(events));
        foreach (var (room, cache, floor) in floors)
        {
            var load = older.GetValueOrDefault(room.Nid) ?? new();
            var slots = Slots(load.Events, byId, [], moves);
            var newFloor = load.Events.Count < count ? long.MinValue : load.Events[0].Position!.Value - 1;
            using (state.Write())
                if (room.Cache == cache && cache.Floor == floor) cache.Prepend(slots, load.Related, newFloor);
        }
    }

    public void Dispose() => slots.Dispose();
}

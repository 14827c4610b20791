using System.Collections.Immutable;
using Matrix.Events;
using Matrix.Replication;
using Matrix.Rooms;
using Matrix.Rooms.Aggregations;
using Matrix.Storage.Events;
using Matrix.Storage.Keys;
using Matrix.Storage.Relations;
using Matrix.Storage.Streams;
using Matrix.Storage.Sync;

namespace Matrix.Unit.Sync;

// What sync asks.
internal sealed partial class MemorySyncStore
{
    private async Task<T> AskAsync<T>(Func<T> answer, bool isLoad = false)
    {
        Interlocked.Increment(ref calls);
        if (IsAway) throw new IOException("away");
        await Task.Yield();
        T result;
        lock (gate) result = answer();
        if (isLoad && AfterReading is { } after) await after();
        return result;
    }

    private Dictionary<StreamDefinition, long> Positions => Streams.All.Where(s => !s.IsEphemeral).ToDictionary(s => s, source.Position);

    private IEnumerable<(long Nid, RoomData Room, StoredEvent Event)> MembershipsOf(string userId) =>
        from room in rooms
        where room.Value.State.ContainsKey(new StateKey(EventTypes.Member, userId))
        select (room.Key, room.Value, room.Value.State[new StateKey(EventTypes.Member, userId)]);

    private IEnumerable<string> JoinedOf(RoomData room) =>
        room.State.Where(s => s.Key.Type == EventTypes.Member && s.Value.Pdu.Membership == Memberships.Join).Select(s => s.Key.Key);

    private HashSet<string> ContactsOf(string userId) =>
        [.. MembershipsOf(userId).Where(m => m.Event.Pdu.Membership == Memberships.Join).SelectMany(m => JoinedOf(m.Room))];

    public Task<Dictionary<StreamDefinition, long>> PositionsAsync(CancellationToken ct) => AskAsync(() => Positions);

    public Task<UserLoad> LoadUserAsync(string userId, CancellationToken ct) => AskAsync(() => new UserLoad(
        Positions,
        [.. MembershipsOf(userId).Select(m => new MembershipRecord(m.Nid, m.Room.Id, userId, m.Event.Pdu.Membership!, m.Event.EventNid, m.Event.Position!.Value, m.Event.Pdu.Sender, false))],
        [.. accountData.Where(d => d.Key.User == userId).Select(d => new AccountDatum(d.Key.Room, d.Key.Type, d.Value))],
        [.. toDevice.Where(m => m.User == userId).GroupBy(m => m.Device).Select(g => new ToDeviceRange(g.Key, g.Min(m => m.Message.Position), g.Max(m => m.Message.Position)))],
        [.. receipts.Where(r => r.Receipt.UserId == userId)], []), isLoad: true);

    public Task<List<RoomActivity>> ActivityAsync(IReadOnlyList<(long Nid, string Id)> asked, CancellationToken ct) => AskAsync(() => asked
        .Select(r => new RoomActivity(r.Nid, rooms[r.Nid].Timeline[^1].Position!.Value, receipts.Where(x => x.RoomId == r.Id).Select(x => x.Position).DefaultIfEmpty(0).Max()))
        .ToList());

    public Task<RoomsLoad> LoadRoomsAsync(IReadOnlyCollection<long> roomNids, int timeline, CancellationToken ct) => AskAsync(() => new RoomsLoad(
        source.Position(Streams.Events),
        roomNids.ToDictionary(n => n, n =>
        {
            var room = rooms[n];
            return new RoomLoad(room.Version.Id, [.. room.Timeline.TakeLast(timeline)], room.Timeline.Count <= timeline,
                [.. room.State.Where(s => s.Key.Type != EventTypes.Member).Select(s => s.Value)],
                [.. room.State.Where(s => s.Key.Type == EventTypes.Member).Select(s => new MemberLoad(s.Key.Key, s.Value.Pdu.Membership!, s.Value.EventNid, s.Value.Position!.Value))]);
        })), isLoad: true);

    public Task<List<StoredEvent>> EventsByNidsAsync(IReadOnlyCollection<long> asked, CancellationToken ct) =>
        asked.Count == 0 ? Task.FromResult(new List<StoredEvent>()) : AskAsync(() => asked.Select(n => events[n]).ToList());

    public Task<List<StoredEvent>> EventsByIdsAsync(IReadOnlyCollection<string> ids, CancellationToken ct) =>
        ids.Count == 0 ? Task.FromResult(new List<StoredEvent>()) : AskAsync(() => events.Values.Where(e => ids.Contains(e.Pdu.EventId)).ToList());

    public Task<List<StoredEvent>> TimelineAsync(long roomNid, long after, long upTo, int limit, CancellationToken ct) => AskAsync(() =>
        rooms[roomNid].Timeline.Where(e => e.Position > after && e.Position <= upTo).Reverse().Take(limit).ToList());

    public Task<List<StoredEvent>> NextEventsAsync(long roomNid, long after, long upTo, int limit, CancellationToken ct) => AskAsync(() =>
        rooms[roomNid].Timeline.Where(e => e.Position > after && e.Position <= upTo).Take(limit).ToList());

    public Task<Dictionary<long, TimelineLoad>> TimelinesAsync(IReadOnlyCollection<TimelineRange> ranges, int limit, CancellationToken ct) => AskAsync(() =>
    {
        var found = new Dictionary<long, TimelineLoad>();
        foreach (var (room, after, upTo) in ranges)
            (found[room] = new()).Events.AddRange(rooms[room].Timeline.Where(e => e.Position > after && e.Position <= upTo).TakeLast(limit));
        return found;
    });

    public Task<List<StoredEvent>> CurrentStateAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<StateKey> keys, CancellationToken ct) =>
        AskAsync(() => roomNids.SelectMany(n => rooms[n].State.Where(s => keys.Contains(s.Key)).Select(s => s.Value)).ToList());

    public Task<Dictionary<long, List<string>>> JoinedMembersAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct) =>
        AskAsync(() => roomNids.ToDictionary(n => n, n => JoinedOf(rooms[n]).ToList()));

    public Task<HashSet<long>> ForgottenAsync(string userId, IReadOnlyCollection<long> roomNids, CancellationToken ct) => AskAsync(() => new HashSet<long>());

    public Task<Dictionary<RoomPosition, Dictionary<long, long>>> StatesAtAsync(IReadOnlyCollection<RoomPosition> places, CancellationToken ct) => AskAsync(() =>
        places.Distinct().ToDictionary(place => place, place =>
        {
            var room = rooms[place.RoomNid];
            var at = room.StateAt.Keys.Where(p => p <= place.Position).DefaultIfEmpty(0).Max();
            // The key's number is as good as any here, as long as it stays the same.
            return at == 0 ? [] : room.StateAt[at].ToDictionary(s => KeyNid(s.Key), s => s.Value);
        }));

    private readonly List<StateKey> stateKeys = [];

    private long KeyNid(StateKey key)
    {
        var i = stateKeys.IndexOf(key);
        if (i >= 0) return i;
        stateKeys.Add(key);
        return stateKeys.Count - 1;
    }

    public Task<Dictionary<long, StateKey>> StateKeysAsync(IReadOnlyCollection<long> keyNids, CancellationToken ct) =>
        keyNids.Count == 0 ? Task.FromResult(new Dictionary<long, StateKey>()) : AskAsync(() => keyNids.ToDictionary(n => n, n => stateKeys[(int)n]));

    public Task<List<StoredReceipt>> ReceiptsOnAsync(
        IReadOnlyCollection<string> roomIds, IReadOnlyCollection<string> eventIds, long upTo, CancellationToken ct) =>
        AskAsync(() => receipts.Where(r => roomIds.Contains(r.RoomId) && eventIds.Contains(r.Receipt.EventId) && r.Position <= upTo).ToList());

    public Task<Dictionary<long, long>> LastOfTypesAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<string> types, CancellationToken ct) =>
        AskAsync(() => roomNids
            .Select(n => (n, Last: rooms[n].Timeline.FindLast(e => types.Contains(e.Pdu.Type))))
            .Where(r => r.Last is not null).ToDictionary(r => r.n, r => r.Last!.Position!.Value));

    public Task<List<MemberTurn>> MemberTurnsAsync(IReadOnlyCollection<long> roomNids, long after, long upTo, CancellationToken ct) => AskAsync(() =>
        roomNids.SelectMany(n => rooms[n].Timeline.Where(e => e.Pdu.Type == EventTypes.Member && e.Position > after && e.Position <= upTo))
            .Where(e => IsJoined(e) != (!e.PrevContent.IsEmpty && StateContent.String(e.PrevContent.Span, "membership"u8) == Memberships.Join))
            .Select(e => new MemberTurn(e.RoomNid, e.Position!.Value, e.Pdu.StateKey!, IsJoined(e))).OrderBy(t => t.Position).ToList());

    public Task<HashSet<long>> JoinsAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct) =>
        AskAsync(() => eventNids.Where(n => IsJoined(events[n])).ToHashSet());

    private static bool IsJoined(StoredEvent e) => e.Pdu.Membership == Memberships.Join;

    /// <summary>There are no relations here.</summary>
    public Task<Dictionary<string, ReadOnlyMemory<byte>>> BundleAsync(
        AggregationReader reader, IReadOnlyList<AggregationTarget> targets, CancellationToken ct) =>
        Task.FromResult(new Dictionary<string, ReadOnlyMemory<byte>>());

    public Task<HashSet<string>> RelatedAsync(
        IReadOnlyCollection<(long RoomNid, string EventId)> events, EventFilter filter, long upTo, CancellationToken ct) => Task.FromResult(new HashSet<string>());

    public Task<List<ThreadNews>> ThreadNewsAsync(
        IReadOnlyCollection<long> roomNids, long after, long upTo, IReadOnlyCollection<string> ignored, int limit, CancellationToken ct) =>
        Task.FromResult(new List<ThreadNews>());

    // ---------------------------------------------------------------- connections of sliding sync

    private readonly Dictionary<long, (string User, string Device, string Name, long Last)> connections = [];
    private readonly Dictionary<(long Nid, long Version), byte[]> versions = [];

    public Task<SlidingVersion?> SlidingStateAsync(long connNid, long version, CancellationToken ct) => AskAsync(() =>
        versions.TryGetValue((connNid, version), out var state) ? new SlidingVersion(connections[connNid].User, connections[connNid].Device, state) : null);

    public Task<(long ConnNid, long Version)> BeginSlidingAsync(
        string userId, string deviceId, string connId, byte[] state, long nowMs, CancellationToken ct) => AskAsync(() =>
    {
        foreach (var old in connections.Where(c => c.Value.User == userId && c.Value.Device == deviceId && c.Value.Name == connId).Select(c => c.Key).ToList())
        {
            connections.Remove(old);
            foreach (var version in versions.Keys.Where(v => v.Nid == old).ToList()) versions.Remove(version);
        }
        var nid = ++lastConnection;
        connections[nid] = (userId, deviceId, connId, 1);
        versions[(nid, 1)] = state;
        return (nid, 1L);
    });

    private long lastConnection;

    public Task<int> PruneSlidingAsync(long beforeTsMs, CancellationToken ct) => AskAsync(() => 0);

    public Task<long?> PutSlidingAsync(long connNid, long basedOn, byte[] state, long nowMs, CancellationToken ct) => AskAsync<long?>(() =>
    {
        if (!connections.TryGetValue(connNid, out var connection)) return null;
        var next = connection.Last + 1;
        connections[connNid] = connection with { Last = next };
        foreach (var version in versions.Keys.Where(v => v.Nid == connNid && v.Version < basedOn).ToList()) versions.Remove(version);
        versions[(connNid, next)] = state;
        return next;
    });

    public Task<Dictionary<long, Sight>> VisibleAsync(string userId, IReadOnlyCollection<long> asked, CancellationToken ct) =>
        AskAsync(() => asked.Distinct().ToDictionary(nid => nid, _ => Sight.Whole));

    public ValueTask<ImmutableHashSet<string>> ErasedAsync(CancellationToken ct) => ValueTask.FromResult(ImmutableHashSet<string>.Empty);

    public Task<Dictionary<long, Sight>> VisibleAsync(string userId, IReadOnlyList<StoredEvent> asked, IReadOnlyDictionary<long, long> stayEnds, CancellationToken ct) =>
        VisibleAsync(userId, [.. asked.Select(e => e.EventNid)], ct);

    public Task<List<StoredReceipt>> ReceiptsAsync(IReadOnlyCollection<string> roomIds, long after, long upTo, CancellationToken ct) =>
        AskAsync(() => receipts.Where(r => roomIds.Contains(r.RoomId) && r.Position > after && r.Position <= upTo).ToList());

    public Task<List<AccountDatum>> AccountDataAsync(string userId, IReadOnlyCollection<(string RoomId, string Type)> keys, CancellationToken ct) => AskAsync(() =>
        keys.Where(k => accountData.ContainsKey((userId, k.RoomId, k.Type))).Select(k => new AccountDatum(k.RoomId, k.Type, accountData[(userId, k.RoomId, k.Type)])).ToList());

    public Task<List<(string RoomId, string Type)>?> AccountDataChangesAsync(string userId, long after, long upTo, CancellationToken ct) =>
        AskAsync<List<(string, string)>?>(() => source.RowsAfter(Streams.AccountData, after).Where(r => r.Key == userId)
            .Select(r => AccountDataRow.Decode(r.Payload.Span)).Select(r => (r.RoomId, r.Type)).ToList());

    public Task<List<ToDeviceMessage>> ToDeviceAsync(string userId, string deviceId, long after, long upTo, int limit, CancellationToken ct) => AskAsync(() =>
        toDevice.Where(m => m.User == userId && m.Device == deviceId && m.Message.Position > after && m.Message.Position <= upTo).Select(m => m.Message).Take(limit).ToList());

    public Task DeleteToDeviceAsync(string userId, string deviceId, long upTo, CancellationToken ct) =>
        AskAsync(() => toDevice.RemoveAll(m => m.User == userId && m.Device == deviceId && m.Message.Position <= upTo));

    public async Task<List<MembershipStep>> MembershipHistoryAsync(string userId, IReadOnlyCollection<long> roomNids, long after, CancellationToken ct)
    {
        var history = await AskAsync(() => HistoryOf(userId, roomNids, after));
        if (AfterHistory is { } then) await then();
        return history;
    }

    private List<MembershipStep> HistoryOf(string userId, IReadOnlyCollection<long> roomNids, long after) =>
        roomNids.SelectMany(n =>
        {
            var all = rooms[n].Timeline.Where(e => e.Pdu.Type == EventTypes.Member && e.Pdu.StateKey == userId).ToList();
            var first = all.FindLastIndex(e => e.Position <= after);
            return all.Skip(Math.Max(0, first)).Select(e => new MembershipStep(n, e.Position!.Value, e.Pdu.Membership!, e.EventNid));
        }).ToList();

    public Task<List<string>> DeviceListChangesAsync(string userId, long after, long upTo, CancellationToken ct) => AskAsync(() =>
        source.RowsAfter(Streams.DeviceLists, after).Where(r => r.Position <= upTo).Select(r => r.Key).Distinct()
            .Where(u => u == userId || ContactsOf(userId).Contains(u)).ToList());

    public Task<List<string>> SharingAsync(string userId, IReadOnlyCollection<string> others, CancellationToken ct) =>
        AskAsync(() => others.Where(ContactsOf(userId).Contains).ToList());

    public Task<List<(string UserId, string RoomId)>> JoinedRoomsAsync(IReadOnlyCollection<string> userIds, CancellationToken ct) => AskAsync(() =>
        userIds.SelectMany(u => MembershipsOf(u).Where(m => m.Event.Pdu.Membership == Memberships.Join).Select(m => (u, m.Room.Id))).ToList());

    /// <summary>By user and device; missing: none.</summary>
    public Dictionary<(string User, string Device), DeviceKeyCounts> KeyCounts { get; } = [];

    public Task<DeviceKeyCounts> KeyCountsAsync(string userId, string deviceId, CancellationToken ct) =>
        AskAsync(() => KeyCounts.GetValueOrDefault((userId, deviceId)) ?? new DeviceKeyCounts([], []));

    public Task<long?> FindRoomAsync(string roomId, CancellationToken ct) =>
        AskAsync<long?>(() => nids.TryGetValue(roomId, out var nid) ? nid : null);

    public Task<HashSet<string>> PublishedRoomsAsync(string userId, CancellationToken ct) => AskAsync(() => new HashSet<string>());

    public Task<byte[]?> FilterAsync(string userId, long filterId, CancellationToken ct) => AskAsync<byte[]?>(() => null);
}

using System.Collections.Immutable;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms;
using Matrix.Rooms.Aggregations;
using Matrix.Storage.Events;
using Matrix.Storage.Keys;
using Matrix.Storage.Relations;
using Matrix.Storage.Rooms;
using Matrix.Storage.Sync;

namespace Matrix.Sync.Store;

internal sealed class DatabaseSyncStore(
    SyncReader sync, SlidingStore sliding, EventReader events, RoomReader rooms, StateReader states, EventVisibility visibility,
    DeviceKeyStore keys, Aggregator aggregator, RelationReader relations, ErasedUsers erased) : ISyncStore
{
    public Task<Dictionary<StreamDefinition, long>> PositionsAsync(CancellationToken ct) => sync.PositionsAsync(ct);

    public Task<UserLoad> LoadUserAsync(string userId, CancellationToken ct) => sync.LoadUserAsync(userId, ct);

    public Task<List<RoomActivity>> ActivityAsync(IReadOnlyList<(long Nid, string Id)> rooms, CancellationToken ct) => sync.ActivityAsync(rooms, ct);

    public Task<RoomsLoad> LoadRoomsAsync(IReadOnlyCollection<long> roomNids, int timeline, CancellationToken ct) =>
        sync.LoadRoomsAsync(roomNids, timeline, ct);

    public Task<List<StoredEvent>> EventsByNidsAsync(IReadOnlyCollection<long> nids, CancellationToken ct) => events.ByNidsAsync(nids, ct);

    public Task<List<StoredEvent>> EventsByIdsAsync(IReadOnlyCollection<string> ids, CancellationToken ct) => events.ByIdsAsync(ids, ct);

    public Task<List<StoredEvent>> TimelineAsync(long roomNid, long after, long upTo, int limit, CancellationToken ct) =>
        events.TimelineAsync(roomNid, after, upTo, backwards: true, limit, ct);

    public Task<List<StoredEvent>> NextEventsAsync(long roomNid, long after, long upTo, int limit, CancellationToken ct) =>
        events.TimelineAsync(roomNid, after, upTo, backwards: false, limit, ct);

    public Task<Dictionary<long, TimelineLoad>> TimelinesAsync(IReadOnlyCollection<TimelineRange> ranges, int limit, CancellationToken ct) =>
        sync.TimelinesAsync(ranges, limit, ct);

    public Task<List<StoredEvent>> CurrentStateAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<StateKey> keys, CancellationToken ct) =>
        rooms.CurrentStateAsync(roomNids, keys, ct);

    public Task<Dictionary<long, List<string>>> JoinedMembersAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct) =>
        rooms.JoinedMembersAsync(roomNids, ct);

    public Task<HashSet<long>> ForgottenAsync(string userId, IReadOnlyCollection<long> roomNids, CancellationToken ct) =>
        sync.ForgottenAsync(userId, roomNids, ct);

    public async Task<Dictionary<RoomPosition, Dictionary<long, long>>> StatesAtAsync(IReadOnlyCollection<RoomPosition> places, CancellationToken ct)
    {
        var snapshots = await sync.SnapshotsAtAsync(places, ct);
        var maps = await states.LoadManyAsync(snapshots.Values, ct);
        return snapshots.ToDictionary(s => s.Key, s => maps[s.Value]);
    }

    public async Task<Dictionary<long, Sight>> VisibleAsync(string userId, IReadOnlyCollection<long> nids, CancellationToken ct) =>
        Sights(await visibility.FilterAsync(new UserId(userId), await events.ByNidsAsync(nids, ct), ct));

    public async Task<Dictionary<long, Sight>> VisibleAsync(
        string userId, IReadOnlyList<StoredEvent> events, IReadOnlyDictionary<long, long> stayEnds, CancellationToken ct) =>
        Sights(await visibility.FilterAsync(new UserId(userId), events, stayEnds, ct));

    private static Dictionary<long, Sight> Sights(IEnumerable<StoredEvent> seen) => seen.ToDictionary(e => e.EventNid, e => e.IsPruned ? Sight.Pruned : Sight.Whole);

    public ValueTask<ImmutableHashSet<string>> ErasedAsync(CancellationToken ct) => erased.AllAsync(ct);

    public Task<List<StoredReceipt>> ReceiptsAsync(IReadOnlyCollection<string> roomIds, long after, long upTo, CancellationToken ct) =>
        sync.ReceiptsAsync(roomIds, after, upTo, ct);

    public Task<List<AccountDatum>> AccountDataAsync(string userId, IReadOnlyCollection<(string RoomId, string Type)> keys, CancellationToken ct) =>
        sync.AccountDataAsync(userId, keys, ct);

    public Task<List<(string RoomId, string Type)>?> AccountDataChangesAsync(string userId, long after, long upTo, CancellationToken ct) =>
        sync.AccountDataChangesAsync(userId, after, upTo, ct);

    public Task<List<ToDeviceMessage>> ToDeviceAsync(string userId, string deviceId, long after, long upTo, int limit, CancellationToken ct) =>
        sync.ToDeviceAsync(userId, deviceId, after, upTo, limit, ct);

    public Task DeleteToDeviceAsync(string userId, string deviceId, long upTo, CancellationToken ct) =>
        sync.DeleteToDeviceAsync(userId, deviceId, upTo, ct);

    public Task<List<MembershipStep>> MembershipHistoryAsync(string userId, IReadOnlyCollection<long> roomNids, long after, CancellationToken ct) =>
        sync.MembershipHistoryAsync(userId, roomNids, after, ct);

    public Task<List<string>> DeviceListChangesAsync(string userId, long after, long upTo, CancellationToken ct) =>
        sync.DeviceListChangesAsync(userId, after, upTo, ct);

    public Task<List<string>> SharingAsync(string userId, IReadOnlyCollection<string> others, CancellationToken ct) => sync.SharingAsync(userId, others, ct);

    public Task<List<(string UserId, string RoomId)>> JoinedRoomsAsync(IReadOnlyCollection<string> userIds, CancellationToken ct) =>
        sync.JoinedRoomsAsync(userIds, ct);

    public Task<List<StoredReceipt>> ReceiptsOnAsync(
        IReadOnlyCollection<string> roomIds, IReadOnlyCollection<string> eventIds, long upTo, CancellationToken ct) =>
        sync.ReceiptsOnAsync(roomIds, eventIds, upTo, ct);

    public Task<List<StateMoveRecord>> StateMovesAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct) => sync.StateMovesAsync(eventNids, ct);

    public Task<Dictionary<long, StateKey>> StateKeysAsync(IReadOnlyCollection<long> keyNids, CancellationToken ct) => sync.StateKeysAsync(keyNids, ct);

    public Task<Dictionary<long, long>> LastOfTypesAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<string> types, CancellationToken ct) =>
        sync.LastOfTypesAsync(roomNids, types, ct);

    public Task<SlidingVersion?> SlidingStateAsync(long connNid, long version, CancellationToken ct) => sliding.FindAsync(connNid, version, ct);

    public Task<(long ConnNid, long Version)> BeginSlidingAsync(
        string userId, string deviceId, string connId, byte[] state, long nowMs, CancellationToken ct) =>
        sliding.BeginAsync(userId, deviceId, connId, state, nowMs, ct);

    public Task<int> PruneSlidingAsync(long beforeTsMs, CancellationToken ct) => sliding.PruneAsync(beforeTsMs, ct);

    public Task<long?> PutSlidingAsync(long connNid, long basedOn, byte[] state, long nowMs, CancellationToken ct) =>
        sliding.PutAsync(connNid, basedOn, state, nowMs, ct);

    public Task<List<MemberTurn>> MemberTurnsAsync(IReadOnlyCollection<long> roomNids, long after, long upTo, CancellationToken ct) =>
        sync.MemberTurnsAsync(roomNids, after, upTo, ct);

    public Task<HashSet<long>> JoinsAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct) => sync.JoinsAsync(eventNids, ct);

    public Task<Dictionary<string, ReadOnlyMemory<byte>>> BundleAsync(
        AggregationReader reader, IReadOnlyList<AggregationTarget> targets, CancellationToken ct) => aggregator.BundleAsync(reader, targets, ct);

    public Task<HashSet<string>> RelatedAsync(
        IReadOnlyCollection<(long RoomNid, string EventId)> events, EventFilter filter, long upTo, CancellationToken ct) =>
        relations.RelatedAsync(events, filter.RelatedByRelTypes?.ToArray(), filter.RelatedBySenders?.ToArray(), upTo, ct);

    public Task<List<ThreadNews>> ThreadNewsAsync(
        IReadOnlyCollection<long> roomNids, long after, long upTo, IReadOnlyCollection<string> ignored, int limit, CancellationToken ct) =>
        relations.ThreadNewsAsync(roomNids, after, upTo, upTo, ignored, limit, ct);

    public Task<DeviceKeyCounts> KeyCountsAsync(string userId, string deviceId, CancellationToken ct) => keys.CountsAsync(userId, deviceId, ct);

    public Task<long?> FindRoomAsync(string roomId, CancellationToken ct) => sync.FindRoomAsync(roomId, ct);

    public Task<HashSet<string>> PublishedRoomsAsync(string userId, CancellationToken ct) => sync.PublishedRoomsAsync(userId, ct);

    public Task<byte[]?> FilterAsync(string userId, long filterId, CancellationToken ct) => sync.FilterAsync(userId, filterId, ct);
}

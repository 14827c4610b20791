using System.Collections.Immutable;
using Matrix.Events;
using Matrix.Replication;
using Matrix.Rooms;
using Matrix.Rooms.Aggregations;
using Matrix.Storage.Events;
using Matrix.Storage.Keys;
using Matrix.Storage.Relations;
using Matrix.Storage.Sync;

namespace Matrix.Sync.Store;

/// <summary>
/// Everything that sync asks the database for; tests count the calls. In the steady state there are none. Missing things are omitted.
/// </summary>
internal interface ISyncStore
{
    Task<Dictionary<StreamDefinition, long>> PositionsAsync(CancellationToken ct);
    Task<UserLoad> LoadUserAsync(string userId, CancellationToken ct);
    Task<List<RoomActivity>> ActivityAsync(IReadOnlyList<(long Nid, string Id)> rooms, CancellationToken ct);
    Task<RoomsLoad> LoadRoomsAsync(IReadOnlyCollection<long> roomNids, int timeline, CancellationToken ct);
    Task<List<StoredEvent>> EventsByNidsAsync(IReadOnlyCollection<long> nids, CancellationToken ct);
    Task<List<StoredEvent>> EventsByIdsAsync(IReadOnlyCollection<string> ids, CancellationToken ct);
    /// <summary>Timeline events with positions in (after, upTo], newest first.</summary>
    Task<List<StoredEvent>> TimelineAsync(long roomNid, long after, long upTo, int limit, CancellationToken ct);
    /// <summary>Timeline events with positions in (after, upTo], oldest first.</summary>
    Task<List<StoredEvent>> NextEventsAsync(long roomNid, long after, long upTo, int limit, CancellationToken ct);
    /// <summary>Timeline events of each range, ascending; the newest of a room when there are more. Rooms without are omitted.</summary>
    Task<Dictionary<long, TimelineLoad>> TimelinesAsync(IReadOnlyCollection<TimelineRange> ranges, int limit, CancellationToken ct);
    /// <summary>Current state of those rooms at those keys.</summary>
    Task<List<StoredEvent>> CurrentStateAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<StateKey> keys, CancellationToken ct);
    Task<Dictionary<long, List<string>>> JoinedMembersAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct);
    /// <summary>Those rooms that the user has forgotten.</summary>
    Task<HashSet<long>> ForgottenAsync(string userId, IReadOnlyCollection<long> roomNids, CancellationToken ct);
    /// <summary>
    /// Nids of the state after the newest timeline event at or before each of those positions, by state key nid; places without are omitted. Places
    /// with the same state share it.
    /// </summary>
    Task<Dictionary<RoomPosition, Dictionary<long, long>>> StatesAtAsync(IReadOnlyCollection<RoomPosition> places, CancellationToken ct);
    /// <summary>Those events that the user may see, and how.</summary>
    Task<Dictionary<long, Sight>> VisibleAsync(string userId, IReadOnlyCollection<long> nids, CancellationToken ct);
    /// <summary>Those events, of rooms that the user has left, that he may see, and how.</summary>
    /// <param name="stayEnds">Where his last stay in each room has ended: position by room nid.</param>
    Task<Dictionary<long, Sight>> VisibleAsync(string userId, IReadOnlyList<StoredEvent> events, IReadOnlyDictionary<long, long> stayEnds, CancellationToken ct);
    /// <summary>Users whose messages are shown whole only to who was joined then; at hand, as a rule.</summary>
    ValueTask<ImmutableHashSet<string>> ErasedAsync(CancellationToken ct);
    Task<List<StoredReceipt>> ReceiptsAsync(IReadOnlyCollection<string> roomIds, long after, long upTo, CancellationToken ct);
    Task<List<AccountDatum>> AccountDataAsync(string userId, IReadOnlyCollection<(string RoomId, string Type)> keys, CancellationToken ct);
    /// <summary>Null: it is not known any more what changed.</summary>
    Task<List<(string RoomId, string Type)>?> AccountDataChangesAsync(string userId, long after, long upTo, CancellationToken ct);
    Task<List<ToDeviceMessage>> ToDeviceAsync(string userId, string deviceId, long after, long upTo, int limit, CancellationToken ct);
    Task DeleteToDeviceAsync(string userId, string deviceId, long upTo, CancellationToken ct);
    Task<List<MembershipStep>> MembershipHistoryAsync(string userId, IReadOnlyCollection<long> roomNids, long after, CancellationToken ct);
    Task<List<string>> DeviceListChangesAsync(string userId, long after, long upTo, CancellationToken ct);
    Task<List<string>> SharingAsync(string userId, IReadOnlyCollection<string> others, CancellationToken ct);
    Task<List<(string UserId, string RoomId)>> JoinedRoomsAsync(IReadOnlyCollection<string> userIds, CancellationToken ct);
    /// <summary>Receipts of those rooms on one of those events, with positions up to <paramref name="upTo"/>; ascending.</summary>
    Task<List<StoredReceipt>> ReceiptsOnAsync(IReadOnlyCollection<string> roomIds, IReadOnlyCollection<string> eventIds, long upTo, CancellationToken ct);
    /// <summary>What else of the current state changed with those events.</summary>
    Task<List<StateMoveRecord>> StateMovesAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct);
    /// <summary>Types and state keys by their nids.</summary>
    Task<Dictionary<long, StateKey>> StateKeysAsync(IReadOnlyCollection<long> keyNids, CancellationToken ct);
    /// <summary>Positions of the newest event of such a type in each room, as far back as is worth looking; rooms without are omitted.</summary>
    Task<Dictionary<long, long>> LastOfTypesAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<string> types, CancellationToken ct);
    /// <summary>Null: no such version of the connection, or not any more.</summary>
    Task<SlidingVersion?> SlidingStateAsync(long connNid, long version, CancellationToken ct);
    Task<(long ConnNid, long Version)> BeginSlidingAsync(string userId, string deviceId, string connId, byte[] state, long nowMs, CancellationToken ct);
    /// <summary>The version that was made; null: that which it is based on has been superseded, or the connection has ended.</summary>
    Task<long?> PutSlidingAsync(long connNid, long basedOn, byte[] state, long nowMs, CancellationToken ct);
    Task<int> PruneSlidingAsync(long beforeTsMs, CancellationToken ct);
    /// <summary>Who came into those rooms or left them at positions in (after, upTo], ascending.</summary>
    Task<List<MemberTurn>> MemberTurnsAsync(IReadOnlyCollection<long> roomNids, long after, long upTo, CancellationToken ct);
    /// <summary>Those of the member events that are of somebody joined.</summary>
    Task<HashSet<long>> JoinsAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct);
    /// <summary>Bundled aggregations of events of the rooms, by event id.</summary>
    Task<Dictionary<string, ReadOnlyMemory<byte>>> BundleAsync(AggregationReader reader, IReadOnlyList<AggregationTarget> targets, CancellationToken ct);
    /// <summary>Ids of those events that others relate to in the way that the filter asks for, by events up to <paramref name="upTo"/>.</summary>
    Task<HashSet<string>> RelatedAsync(IReadOnlyCollection<(long RoomNid, string EventId)> events, EventFilter filter, long upTo, CancellationToken ct);
    /// <summary>Threads of those rooms with events at positions in (after, upTo], latest first.</summary>
    Task<List<ThreadNews>> ThreadNewsAsync(
        IReadOnlyCollection<long> roomNids, long after, long upTo, IReadOnlyCollection<string> ignored, int limit, CancellationToken ct);
    Task<DeviceKeyCounts> KeyCountsAsync(string userId, string deviceId, CancellationToken ct);
    /// <summary>Null: no such room.</summary>
    Task<long?> FindRoomAsync(string roomId, CancellationToken ct);
    /// <summary>Ids of the rooms that the user has a membership in and that stand in the room directory.</summary>
    Task<HashSet<string>> PublishedRoomsAsync(string userId, CancellationToken ct);
    Task<byte[]?> FilterAsync(string userId, long filterId, CancellationToken ct);
}

namespace Matrix.Storage.Events;

/// <summary>Reads events. Missing ones are omitted; nothing here authorises or hides.</summary>
public sealed partial class EventReader(Database database)
{
    public partial Task<List<StoredEvent>> ByIdsAsync(IReadOnlyCollection<string> eventIds, CancellationToken ct);
    public partial Task<List<StoredEvent>> ByNidsAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct);

    /// <summary>
    /// The room's timeline (no outliers, rejected or soft-failed events) with positions in (after, upTo], newest first when
    /// <paramref name="backwards"/>, at most <paramref name="limit"/>.
    /// </summary>
    public partial Task<List<StoredEvent>> TimelineAsync(long roomNid, long after, long upTo, bool backwards, int limit, CancellationToken ct);

    /// <summary>Newest <paramref name="limit"/> timeline events of each room with positions in (after, upTo], in one query; ascending within a room.</summary>
    public partial Task<Dictionary<long, List<StoredEvent>>> LatestOfRoomsAsync(IReadOnlyCollection<long> roomNids, long after, long upTo, int limit, CancellationToken ct);
}

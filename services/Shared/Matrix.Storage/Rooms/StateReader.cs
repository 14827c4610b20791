namespace Matrix.Storage.Rooms;

/// <summary>Reads historical state snapshots (docs/state.md).</summary>
public sealed partial class StateReader(Database database)
{
    /// <summary>The whole map, state_key_nid to event_nid. O(log n) rows are read. Throws when the snapshot does not exist.</summary>
    public partial Task<Dictionary<long, long>> LoadAsync(long snapshotNid, CancellationToken ct);
    /// <summary>Events of the state after an event with that snapshot.</summary>
    public partial Task<List<Events.StoredEvent>> EventsAsync(long snapshotNid, CancellationToken ct);
    /// <summary>Events at some keys of that state; missing ones omitted.</summary>
    public partial Task<List<Events.StoredEvent>> EventsAsync(long snapshotNid, IReadOnlyCollection<Matrix.Events.StateKey> keys, CancellationToken ct);
}

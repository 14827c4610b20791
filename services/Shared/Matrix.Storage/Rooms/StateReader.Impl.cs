using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.Storage.Rooms;

public sealed partial class StateReader
{
    public partial Task<Dictionary<long, long>> LoadAsync(long snapshotNid, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<Events.StoredEvent>> EventsAsync(long snapshotNid, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<Events.StoredEvent>> EventsAsync(long snapshotNid, IReadOnlyCollection<Matrix.Events.StateKey> keys, CancellationToken ct) => throw new NotImplementedException();
}

using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.Storage.Events;

public sealed partial class EventReader
{
    public partial Task<List<StoredEvent>> ByIdsAsync(IReadOnlyCollection<string> eventIds, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<StoredEvent>> ByNidsAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<StoredEvent>> TimelineAsync(long roomNid, long after, long upTo, bool backwards, int limit, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<Dictionary<long, List<StoredEvent>>> LatestOfRoomsAsync(IReadOnlyCollection<long> roomNids, long after, long upTo, int limit, CancellationToken ct) => throw new NotImplementedException();
}

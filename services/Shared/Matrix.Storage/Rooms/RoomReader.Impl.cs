using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.Storage.Rooms;

public sealed partial class RoomReader
{
    public partial Task<RoomRecord?> FindAsync(string roomId, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<RoomRecord>> ByNidsAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<StoredEvent>> CurrentStateAsync(long roomNid, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<StoredEvent>> CurrentStateAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<StateKey> keys, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<StoredEvent?> CurrentStateAsync(long roomNid, StateKey key, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<MembershipRecord?> MembershipAsync(string roomId, string userId, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<MembershipRecord>> MembershipsOfUserAsync(string userId, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<MembershipRecord>> MembersAsync(long roomNid, IReadOnlyCollection<string> memberships, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<Dictionary<long, List<string>>> JoinedMembersAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<List<string>> UsersSharingRoomsAsync(string userId, CancellationToken ct) => throw new NotImplementedException();
    public partial Task<string?> AliasAsync(string alias, CancellationToken ct) => throw new NotImplementedException();
}

using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.Storage.Rooms;

/// <summary>Reads rooms, current state and memberships.</summary>
public sealed partial class RoomReader(Database database)
{
    /// <summary>Null: no such room here.</summary>
    public partial Task<RoomRecord?> FindAsync(string roomId, CancellationToken ct);
    public partial Task<List<RoomRecord>> ByNidsAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct);
    /// <summary>Whole current state.</summary>
    public partial Task<List<StoredEvent>> CurrentStateAsync(long roomNid, CancellationToken ct);
    /// <summary>Current state at those keys, of those rooms; missing ones omitted.</summary>
    public partial Task<List<StoredEvent>> CurrentStateAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<StateKey> keys, CancellationToken ct);
    public partial Task<StoredEvent?> CurrentStateAsync(long roomNid, StateKey key, CancellationToken ct);
    /// <summary>Null: never was a member.</summary>
    public partial Task<MembershipRecord?> MembershipAsync(string roomId, string userId, CancellationToken ct);
    /// <summary>The user's memberships of those rooms; those where he never was a member are omitted.</summary>
    public partial Task<List<MembershipRecord>> MembershipsAsync(IReadOnlyCollection<long> roomNids, string userId, CancellationToken ct);
    /// <summary>All rooms that the user has a membership in, forgotten ones too.</summary>
    public partial Task<List<MembershipRecord>> MembershipsOfUserAsync(string userId, CancellationToken ct);
    /// <summary>Members of a room with any of these memberships (empty: all).</summary>
    public partial Task<List<MembershipRecord>> MembersAsync(long roomNid, IReadOnlyCollection<string> memberships, CancellationToken ct);
    /// <summary>Joined members of several rooms: room nid to user ids.</summary>
    public partial Task<Dictionary<long, List<string>>> JoinedMembersAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct);
    /// <summary>Users that share at least one room with this user (both joined), himself not included.</summary>
    public partial Task<List<string>> UsersSharingRoomsAsync(string userId, CancellationToken ct);
    /// <summary>Room that an alias of this server points to; null: none.</summary>
    public partial Task<string?> AliasAsync(string alias, CancellationToken ct);
}

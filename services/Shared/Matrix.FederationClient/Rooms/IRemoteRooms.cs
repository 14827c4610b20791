namespace Matrix.FederationClient.Rooms;

/// <summary>State of a room before an event as another server tells it: ids of its events, and of all that those rest on.</summary>
public sealed record RemoteStateIds(IReadOnlyList<string> StateIds, IReadOnlyList<string> AuthChainIds);

/// <summary>The same with the events themselves, as they came.</summary>
public sealed record RemoteState(IReadOnlyList<ReadOnlyMemory<byte>> State, IReadOnlyList<ReadOnlyMemory<byte>> AuthChain);

/// <summary>The event that another server has closest to a time.</summary>
public sealed record RemoteEventTime(string EventId, long OriginServerTs);

/// <summary>Where an alias leads.</summary>
/// <param name="Servers">Some that know the room; may be none.</param>
public sealed record RemoteAlias(string RoomId, IReadOnlyList<string> Servers);

/// <summary>
/// Questions about rooms to other servers. What comes back is raw: whoever asked checks every event. Null: the server could not be reached, refused, or
/// answered something that is none; nothing here throws but for a cancellation.
/// </summary>
public interface IRemoteRooms
{
    /// <summary>Events between what is known (<paramref name="earliest"/>) and what came (<paramref name="latest"/>), those not included.</summary>
    Task<IReadOnlyList<ReadOnlyMemory<byte>>?> GetMissingEventsAsync(
        string server, string roomId, IReadOnlyCollection<string> earliest, IReadOnlyCollection<string> latest, int limit, long minDepth, CancellationToken ct);

    Task<RemoteStateIds?> GetStateIdsAsync(string server, string roomId, string eventId, CancellationToken ct);
    Task<RemoteState?> GetStateAsync(string server, string roomId, string eventId, CancellationToken ct);
    Task<ReadOnlyMemory<byte>?> GetEventAsync(string server, string eventId, CancellationToken ct);
    /// <summary>Everything that the event rests on.</summary>
    Task<IReadOnlyList<ReadOnlyMemory<byte>>?> GetEventAuthAsync(string server, string roomId, string eventId, CancellationToken ct);
    /// <summary>A space and its children; the answer's object, canonical.</summary>
    Task<ReadOnlyMemory<byte>?> GetHierarchyAsync(string server, string roomId, bool suggestedOnly, CancellationToken ct);
    /// <summary>The event closest to a time, after it, or before it when <paramref name="backwards"/>.</summary>
    Task<RemoteEventTime?> FindByTimeAsync(string server, string roomId, long ts, bool backwards, CancellationToken ct);
    /// <summary>Where an alias of that server leads. Spec: server-server-api/#querying-for-information</summary>
    Task<RemoteAlias?> FindAliasAsync(string server, string alias, CancellationToken ct);
    /// <summary>The events <paramref name="from"/> and what came before them, at most <paramref name="limit"/>.</summary>
    Task<IReadOnlyList<ReadOnlyMemory<byte>>?> BackfillAsync(string server, string roomId, IReadOnlyCollection<string> from, int limit, CancellationToken ct);
}

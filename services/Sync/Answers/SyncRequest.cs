using Matrix.Events;
using Matrix.Sync.Engine;
using Matrix.Sync.Sliding;
using Matrix.Sync.Users;

namespace Matrix.Sync.Answers;

/// <summary>What a client asks for. Spec: openapi/client-server/sync.yaml</summary>
/// <param name="Since">Null: an initial sync.</param>
internal sealed record SyncRequest(
    string UserId, string DeviceId, Filter Filter, Positions? Since, bool FullState, bool UseStateAfter)
{
    /// <summary>The state after the timeline goes under the name it had while it was a proposal (MSC4222): clients that ask by that name read no other.</summary>
    public bool StateAfterByOldName { get; init; }

    /// <summary>Synapse: 10 when the filter says nothing.</summary>
    public const int DefaultTimelineLimit = 10;
    /// <summary>Synapse: filter_timeline_limit.</summary>
    public const int MaxTimelineLimit = 100;

    /// <summary>Of other endpoints than /sync; null: what the filter says.</summary>
    public int? ExactTimelineLimit { get; init; }

    public int TimelineLimit => ExactTimelineLimit ?? Math.Clamp(Filter.Room.Timeline.Limit ?? DefaultTimelineLimit, 0, MaxTimelineLimit);
    /// <summary>Of sliding sync, of one room config: the state that is told; null: what the filter lets through.</summary>
    public RequiredState? Required { get; init; }
    public bool IsSliding => Required is not null;
    public bool CountsUnread { get; init; } = true;

    /// <summary>Members of senders only. Synapse: the flag of the timeline's filter does not count.</summary>
    public bool LazyMembers => Required?.LazyMembers ?? Filter.Room.State.LazyLoadMembers;
    /// <summary>The whole state has all members in it.</summary>
    public bool AllMembers => Required?.AllMembers ?? !LazyMembers;
    /// <summary>Whether state at that key is told; what the filter says of its event apart.</summary>
    public bool Tells(StateKey key) => Required?.Matches(key) ?? true;
    public bool RedundantMembers => Filter.Room.State.IncludeRedundantMembers;
    public bool ThreadCounts => Filter.Room.Timeline.UnreadThreadNotifications;
    public bool IsInitial => Since is null;
}

/// <summary>The reader of an answer: the request, and the user's cache. What is read of the user is read under the lock.</summary>
internal sealed record Reader(SyncRequest Request, User User, Device Device)
{
    /// <summary>Members that this client has been told already.</summary>
    public ToldMembers Members { get; init; } = Device.Members;
    /// <summary>Version of the connection of sliding sync that the client comes with.</summary>
    public long Version { get; init; }

    /// <summary>The same reader asking for a room in another way; null: as always.</summary>
    public Reader For(SyncRequest? request) => request is null ? this : this with { Request = request };
}

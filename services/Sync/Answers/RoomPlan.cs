using Matrix.Events;
using Matrix.Storage.Streams;
using Matrix.Sync.Rooms;
using Matrix.Sync.Unread;

namespace Matrix.Sync.Answers;

/// <summary>What a joined or left room's part of an answer consists of: references, found under the lock; written afterwards.</summary>
internal sealed class RoomPlan(string roomId, SyncRequest request)
{
    public string RoomId { get; } = roomId;
    public SyncRequest Request { get; } = request;
    public long RoomNid { get; init; }
    /// <summary>Of a room that was left: the position of that; null: the answer's.</summary>
    public long? UpTo { get; init; }
    /// <summary>Messages that were sent before that are not shown any more.</summary>
    public long OldestTsMs { get; init; } = long.MinValue;
    /// <summary>Events that others relate to as the timeline's filter asks for; null: it does not ask.</summary>
    public HashSet<string>? RelatedBy { get; init; }
    /// <summary>Of a room that the reader was never in: the timeline is the last event about his membership.</summary>
    public bool IsTurnOnly { get; set; }
    /// <summary>Ascending.</summary>
    public List<CachedEvent> Timeline { get; } = [];
    /// <summary>The reader's membership at each event of the timeline; null: joined at all of them.</summary>
    public Membership[]? ReaderAt { get; set; }
    public bool Limited { get; set; }
    /// <summary>Events of a limited timeline that are told with what their children come to: those that may have some.</summary>
    public List<CachedEvent> Parents { get; } = [];
    /// <summary>The timeline starts after this position of stream events.</summary>
    public long StartsAfter { get; set; }
    /// <summary>State to tell; events that are not loaded yet have a nid only.</summary>
    public List<StateRef> State { get; } = [];
    /// <summary>State that there is none of any more.</summary>
    public List<StateKey> Deleted { get; } = [];
    /// <summary>What sliding sync says of the room besides.</summary>
    public RoomProfile? Profile { get; set; }
    /// <summary>What is told of it, once all of it is loaded and filtered.</summary>
    public List<CachedEvent> StateEvents { get; } = [];
    /// <summary>Members that are told because of events of theirs, and skipped when the device knows them. Users by nid.</summary>
    public List<(string UserId, StateRef Ref)> LazyMembers { get; } = [];
    /// <summary>The state of (since, timeline start] is older than memory: these positions say what to compare in the database.</summary>
    public (long RoomNid, long Since, long Start)? Gap { get; set; }
    /// <summary>The answer holds the whole state: the client knows nothing of the room, or has asked for all of it.</summary>
    public bool IsFull { get; set; }
    public RoomSummary? Summary { get; set; }
    public List<ReceiptRow> Receipts { get; } = [];
    /// <summary>Null: typing is not told.</summary>
    public List<string>? Typing { get; set; }
    public List<(string Type, ReadOnlyMemory<byte> Content)> AccountData { get; } = [];
    public UnreadCounts? Unread { get; set; }
    /// <summary>Joined members who changed in this answer: who newly shares the room, who no longer does.</summary>
    public List<string> NewMembers { get; } = [];
    public List<string> GoneMembers { get; } = [];

    /// <summary>The room is told even when there is nothing in it.</summary>
    public bool MustTell { get; set; }

    // Synapse: a summary alone is no news; it goes with the member event, or waits where the filter hides that.
    public bool HasNews => MustTell || Timeline.Count > 0 || StateEvents.Count > 0 || Receipts.Count > 0 || Typing is not null || AccountData.Count > 0;
}

/// <param name="Heroes">Null: the room has a name or an alias.</param>
internal sealed record RoomSummary(string[]? Heroes, int Joined, int Invited);

/// <summary>Name, picture and heroes as of now.</summary>
/// <param name="Name">The event that sets it; null: none does.</param>
/// <param name="Bump">Position of the newest event that is activity; null: the window has none.</param>
internal sealed record RoomProfile(CachedEvent? Name, CachedEvent? Avatar, long? Bump)
{
    public List<StateRef> Heroes { get; } = [];
    /// <summary>Their member events, once they are loaded.</summary>
    public List<CachedEvent> HeroEvents { get; } = [];
}

/// <summary>An invitation or a knock: stripped state, and the membership event itself.</summary>
internal sealed class StrippedPlan(string roomId)
{
    public string RoomId { get; } = roomId;
    /// <summary>The membership event is the last one.</summary>
    public List<CachedEvent> State { get; } = [];
}

using Matrix.Events;
using Matrix.Storage.Rooms;

namespace Matrix.Storage.Events;

/// <summary>Where an event goes in stream events.</summary>
public enum EventPlace
{
    /// <summary>At its end: readers are told.</summary>
    Stream,
    /// <summary>Before all that is there: history that was backfilled.</summary>
    Past,
    /// <summary>Nowhere: outliers, rejected and soft-failed events.</summary>
    None,
}

/// <summary>A key of the current state that changed with another event than its own.</summary>
/// <param name="BeforeNid">0: the state had none there.</param>
/// <param name="NowNid">0: the state has none there any more; then the rest is null.</param>
/// <param name="Membership">Of a member event.</param>
public sealed record StateMove(string Type, string StateKey, long StateKeyNid, long BeforeNid, long NowNid, string? EventId, string? Sender, string? Membership);

/// <summary>An event that is to be written.</summary>
public sealed class NewEvent
{
    public required long EventNid { get; init; }
    public required Pdu Pdu { get; init; }
    public long? StateKeyNid { get; init; }
    /// <summary>State after the event; set when the chain of events is complete.</summary>
    public long? SnapshotNid { get; set; }
    public long? ReplacesNid { get; init; }
    public required long[] PrevNids { get; init; }
    public required long[] AuthNids { get; init; }
    public EventFlags Flags { get; set; }
    public EventPlace Place { get; init; }
    /// <summary>The row is there, as an outlier: it becomes a full event.</summary>
    public bool WasOutlier { get; init; }
    /// <summary>It came from elsewhere and may be a parent that others lack.</summary>
    public bool FillsGap { get; init; }
    /// <summary>Parents that are not here.</summary>
    public IReadOnlyList<string> MissingParents { get; init; } = [];
    /// <summary>What else of the current state changed with it.</summary>
    public IReadOnlyList<StateMove> Moves { get; set; } = [];
    /// <summary>With <see cref="EventFlags.Reads"/>: the root of the thread that its sender has read; null: the main timeline.</summary>
    public string? ReadRoot { get; init; }
    public required long ReceivedTsMs { get; init; }
    /// <summary>Device, and transaction of the send; null without one.</summary>
    public string? TxnDeviceId { get; init; }
    public string? TxnId { get; init; }
    /// <summary>For readers of the stream: the state event that this one replaced.</summary>
    public Pdu? Replaced { get; init; }
    /// <summary>Event id that this accepted redaction redacts.</summary>
    public string? Redacts { get; init; }
    public bool IsCurrentState { get; set; }

    /// <summary>Of an event with a transaction.</summary>
    public TransactionKey KeyIn(string roomId) => new(Pdu.Sender, TxnDeviceId ?? "", roomId, TxnId!);
}

/// <summary>The row of a room that begins with this commit.</summary>
public sealed record NewRoom(string RoomId, string Version, bool IsPublic, string? Alias, string Creator);

/// <summary>Somebody's membership after the commit.</summary>
/// <param name="EventNid">The member event.</param>
/// <param name="EventIndex">
/// Index in the commit's events of the event with which the membership changed, mostly the member event itself: its position becomes the membership's.
/// </param>
public readonly record struct NewMembership(string UserId, string Membership, string Sender, long EventNid, int EventIndex);

/// <param name="TargetNid">0: the redacted event is not here; only the fact is remembered.</param>
/// <param name="Json">Redacted form.</param>
public readonly record struct RedactionChange(string TargetId, long TargetNid, string RedactedBy, ReadOnlyMemory<byte> Json);

/// <summary>All that one room brings into a transaction. Its events are in the order in which they enter the stream.</summary>
public sealed class RoomCommit
{
    public required long RoomNid { get; init; }
    public required string RoomId { get; init; }
    public required string Version { get; init; }
    /// <summary>What <c>rooms.head</c> must be; it moves by the number of events.</summary>
    public required long ExpectedHead { get; init; }
    /// <summary>Not null: the room does not exist yet.</summary>
    public NewRoom? NewRoom { get; init; }
    public required IReadOnlyList<NewEvent> Events { get; init; }
    public required IReadOnlyList<SnapshotRow> Snapshots { get; init; }
    /// <summary>Snapshot of the current state after the commit; null: as before.</summary>
    public required long? CurrentSnapshot { get; init; }
    /// <summary>Changes of the current state, each key once; event nid 0 removes.</summary>
    public required IReadOnlyList<KeyValuePair<long, long>> StateChanges { get; init; }
    /// <summary>Each user once.</summary>
    public required IReadOnlyList<NewMembership> Memberships { get; init; }
    /// <summary>Users of whom the state knows no membership any more.</summary>
    public IReadOnlyList<string> MembershipsGone { get; init; } = [];
    public required IReadOnlyList<long> ExtremitiesGone { get; init; }
    public required IReadOnlyList<long> ExtremitiesNew { get; init; }
    public required IReadOnlyList<RedactionChange> Redactions { get; init; }
    public long CreatedTsMs { get; init; }

    /// <summary>How many of the events take a position at the end of the stream.</summary>
    public int StreamCount
    {
        get
        {
            var count = 0;
            for (var i = 0; i < Events.Count; i++) if (Events[i].Place == EventPlace.Stream) count++;
            return count;
        }
    }
}

public enum CommitKind
{
    /// <summary>Everything was written.</summary>
    Committed,
    /// <summary>Nothing was written: rooms of <see cref="CommitResult.Moved"/> have been moved by somebody else.</summary>
    HeadMoved,
    /// <summary>Nothing was written: transactions of <see cref="CommitResult.Known"/> were sent before.</summary>
    TransactionKnown,
    /// <summary>Nothing was written: the alias of a new room is taken.</summary>
    AliasTaken,
    /// <summary>Nothing was written: there is a room with the id of a new one.</summary>
    RoomTaken,
}

/// <param name="To">Position of the last event that entered the stream; they lie in (To - count, To] in the order of rooms and their events. 0: none did.</param>
/// <param name="Moved">Room nids.</param>
/// <param name="Known">Sender, device, room and transaction to the id of the event it made.</param>
public sealed record CommitResult(
    CommitKind Kind, long To = 0, IReadOnlySet<long>? Moved = null, IReadOnlyDictionary<TransactionKey, string>? Known = null);

/// <summary>Identity of a client's send. Spec: client-server-api/#transaction-identifiers</summary>
public readonly record struct TransactionKey(string UserId, string DeviceId, string RoomId, string TxnId);

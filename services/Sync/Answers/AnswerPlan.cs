using Matrix.Storage.Ephemeral;
using Matrix.Storage.Sync;
using Matrix.Sync.Engine;
using Matrix.Sync.Unread;
using Matrix.Sync.Users;

namespace Matrix.Sync.Answers;

/// <summary>
/// What an answer consists of, as of one moment. Rooms are planned as they come into memory: those that are not there yet stand in
/// <see cref="Waiting"/>.
/// </summary>
internal sealed class AnswerPlan
{
    public required Positions Now { get; set; }
    public required long NowMs { get; init; }

    /// <summary>Joined rooms that have to be looked at.</summary>
    public List<JoinedRoom> Waiting { get; set; } = [];
    public List<RoomPlan> Joined { get; } = [];
    public List<UserRoom> Invites { get; } = [];
    public List<UserRoom> Knocks { get; } = [];
    public List<LeftRoom> Left { get; } = [];
    /// <summary>What became of <see cref="Invites"/>, <see cref="Knocks"/> and <see cref="Left"/>.</summary>
    public List<StrippedPlan> InvitePlans { get; } = [];
    public List<StrippedPlan> KnockPlans { get; } = [];
    public List<RoomPlan> LeftPlans { get; } = [];

    /// <summary>Events that others relate to as the timeline's filter asks for, by room and the floor of the window that was looked at.</summary>
    public Dictionary<(string RoomId, long Floor), HashSet<string>> RelatedBy { get; } = [];
    public ThreadFinder Threads { get; } = new();
    /// <summary>Rooms whose receipts in (since, now] are older than memory, by id; from position 0 for rooms told whole.</summary>
    public Dictionary<string, RoomPlan> ReceiptsSince { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, RoomPlan> ReceiptsWhole { get; } = new(StringComparer.Ordinal);

    public List<(string Type, ReadOnlyMemory<byte> Content)> AccountData { get; } = [];
    public List<(string UserId, PresenceRow Row)> Presence { get; } = [];
    /// <summary>Told to the reader if they share a room, which memory does not know.</summary>
    public List<(string UserId, PresenceRow Row)> PresenceInDoubt { get; } = [];
    public bool AskToDevice { get; set; }
    public List<ToDeviceMessage> ToDevice { get; set; } = [];
    /// <summary>PDUs by nid, for clients that want the federation format; null: they do not.</summary>
    public Dictionary<long, ReadOnlyMemory<byte>>? Pdus { get; set; }
    /// <summary>Bundled aggregations by event id, JSON.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Relations { get; set; } = NoRelations;
    private static readonly Dictionary<string, ReadOnlyMemory<byte>> NoRelations = [];
    public DeviceNews Devices { get; } = new();

    public bool HasNews =>
        Joined.Count > 0 || InvitePlans.Count > 0 || KnockPlans.Count > 0 || LeftPlans.Count > 0 || AccountData.Count > 0 || Presence.Count > 0
        || ToDevice.Count > 0 || Devices.HasNews;
}

/// <param name="Known">Position up to which the client knows the timeline; <see cref="long.MinValue"/>: not at all.</param>
/// <param name="IsFull">The whole state is told.</param>
/// <param name="IsNew">Joined since the last answer.</param>
internal sealed record JoinedRoom(UserRoom Own, long Known, bool IsFull, bool IsNew)
{
    /// <summary>This room is asked for in another way than the others.</summary>
    public SyncRequest? As { get; init; }
    /// <summary>Rules have changed that its unread counts depend on.</summary>
    public bool IsRecounted { get; init; }
}

/// <param name="EventNid">The last event about the reader's membership; 0: there is none any more.</param>
/// <param name="LeftAt">Its position; 0: not in the stream.</param>
/// <param name="WasJoined">The reader was, or may have been, joined after <paramref name="Known"/>; else only the event itself is told.</param>
internal sealed record LeftRoom(string RoomId, long RoomNid, long EventNid, long LeftAt, long Known, bool WasJoined, bool IsFull)
{
    /// <summary>As the user stands to the room now: under the lock.</summary>
    public LeftRoom(UserRoom own, long known, bool wasJoined, bool isFull) : this(own.RoomId, own.RoomNid, own.EventNid, own.Position, known, wasJoined, isFull)
    {
    }

    /// <summary>This room is asked for in another way than the others.</summary>
    public SyncRequest? As { get; init; }

    /// <summary>A room that the reader was in and has been invited to since, of which he is not to know: the end of his stay is all that he is told.</summary>
    public static LeftRoom Behind(UserRoom own, long known) => new(own.RoomId, own.RoomNid, EventNid: 0, LeftAt: 0, known, WasJoined: true, IsFull: known == long.MinValue);
}

/// <summary>What an incremental answer needs of the database because the token is older than memory. Null members: memory has it.</summary>
internal sealed class OlderChanges
{
    /// <summary>Ascending within a room.</summary>
    public List<MembershipTurn>? Memberships { get; set; }
    /// <summary>Changed account data; null with <see cref="AllAccountData"/>: nobody knows any more, all of it is told.</summary>
    public HashSet<(string RoomId, string Type)>? AccountData { get; set; }
    public bool AllAccountData { get; set; }
    public List<string>? DeviceLists { get; set; }
}

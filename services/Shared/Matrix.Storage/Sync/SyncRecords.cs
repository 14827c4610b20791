using Matrix.Events;
using Matrix.Replication;
using Matrix.Storage.Events;
using Matrix.Storage.Receipts;
using Matrix.Storage.Streams;

namespace Matrix.Storage.Sync;

/// <summary>What sync keeps of a user, read in one snapshot of the database.</summary>
/// <param name="Positions">Positions of the persistent streams that the rest corresponds to exactly.</param>
/// <param name="Memberships">Every room that he has a membership in, forgotten ones too.</param>
/// <param name="AccountData">All of it, global and of rooms.</param>
/// <param name="ToDevice">Devices with messages that were not acknowledged yet.</param>
/// <param name="OwnReceipts">His own receipts in those rooms.</param>
/// <param name="Implied">How far he has read threads of those rooms by sending something there.</param>
public sealed record UserLoad(
    IReadOnlyDictionary<StreamDefinition, long> Positions,
    List<MembershipRecord> Memberships,
    List<AccountDatum> AccountData,
    List<ToDeviceRange> ToDevice,
    List<StoredReceipt> OwnReceipts,
    List<ReadReceipt> Implied);

/// <param name="RoomId">Empty: global.</param>
public sealed record AccountDatum(string RoomId, string Type, ReadOnlyMemory<byte> Content);

/// <summary>Lowest and highest position of messages that wait for a device.</summary>
public sealed record ToDeviceRange(string DeviceId, long First, long Last);

public sealed record ToDeviceMessage(long Position, string Sender, string Type, ReadOnlyMemory<byte> Content);

public sealed record StoredReceipt(string RoomId, long Position, ReceiptRow Receipt);

/// <summary>Newest positions of a room in streams events and receipts; 0: none.</summary>
public sealed record RoomActivity(long RoomNid, long LastEvent, long LastReceipt);

/// <summary>Rooms as of exactly <paramref name="EventsPosition"/>.</summary>
public sealed record RoomsLoad(long EventsPosition, Dictionary<long, RoomLoad> Rooms);

/// <param name="Timeline">Newest timeline events, ascending.</param>
/// <param name="IsWhole">There are no older ones.</param>
/// <param name="State">Current state without members.</param>
public sealed record RoomLoad(string Version, List<StoredEvent> Timeline, bool IsWhole, List<StoredEvent> State, List<MemberLoad> Members)
{
    /// <summary>Ids of those timeline events that have children which are aggregated.</summary>
    public HashSet<string> Related { get; } = new(StringComparer.Ordinal);
}

/// <summary>Timeline events of a room with positions in (after, up to].</summary>
public readonly record struct TimelineRange(long RoomNid, long After, long UpTo);

/// <summary>A moment of a room: a position of stream events.</summary>
public readonly record struct RoomPosition(long RoomNid, long Position);

/// <summary>Timeline events, ascending, and the ids of those that have children which are aggregated.</summary>
public sealed record TimelineLoad
{
    public List<StoredEvent> Events { get; } = [];
    public HashSet<string> Related { get; } = new(StringComparer.Ordinal);
}

/// <param name="Position">Position of the membership event in stream events; 0: not in the stream.</param>
public readonly record struct MemberLoad(string UserId, string Membership, long EventNid, long Position);

/// <summary>A key at which the current state changed with an event that is not its own: forks were resolved. Nids of 0: no event.</summary>
public sealed record StateMoveRecord(long EventNid, StateKey Key, long BeforeNid, long NowNid);

/// <summary>Somebody came into a room, or left it.</summary>
public readonly record struct MemberTurn(long RoomNid, long Position, string UserId, bool IsJoined);

/// <summary>One step in a user's history with a room.</summary>
/// <param name="Position">0: not in the stream.</param>
public sealed record MembershipStep(long RoomNid, long Position, string Membership, long EventNid);

using Matrix.Events;
using Matrix.Replication;

namespace Matrix.Storage.Events;

/// <summary>An event as the database holds it, with what a client form needs.</summary>
public sealed record StoredEvent
{
    public required long EventNid { get; init; }
    public required long RoomNid { get; init; }
    /// <summary>Position in stream events; null for outliers and what never entered the stream.</summary>
    public required long? Position { get; init; }
    public required EventFlags Flags { get; init; }
    /// <summary>State after the event; null for outliers.</summary>
    public required long? SnapshotNid { get; init; }
    public required long ReceivedTsMs { get; init; }
    /// <summary>The state event that this one replaced: id, sender, raw content; null: none.</summary>
    public string? ReplacesEventId { get; init; }
    public string? PrevSender { get; init; }
    public ReadOnlyMemory<byte> PrevContent { get; init; }
    /// <summary>Transaction of the local send, while it is remembered.</summary>
    public string? TxnDeviceId { get; init; }
    public string? TxnId { get; init; }
    /// <summary>Event id of the redaction that emptied this event; null: not redacted.</summary>
    public string? RedactedBy { get; init; }
    /// <summary>The event; its id is canonical. Redacted form once redacted.</summary>
    public required Pdu Pdu { get; init; }
    /// <summary>Shown in redacted form to a reader for whom whoever sent it was erased; the stored event is whole.</summary>
    public bool IsPruned { get; private init; }

    /// <summary>As shown to somebody for whom whoever sent it was erased: nothing of what it said, nor of what it replaced.</summary>
    public StoredEvent Pruned() => IsPruned ? this : this with { Pdu = Pdu.Redacted(), PrevContent = default, IsPruned = true };

    public static StoredEvent FromRow(EventRow row, RoomVersion version) => new()
    {
        EventNid = row.EventNid, RoomNid = row.RoomNid, Position = row.Position, Flags = row.Flags, SnapshotNid = null,
        ReceivedTsMs = row.ReceivedTsMs, ReplacesEventId = row.ReplacesEventId, PrevSender = row.PrevSender, PrevContent = row.PrevContent,
        TxnDeviceId = row.TxnDeviceId, TxnId = row.TxnId, Pdu = Pdu.ReadTrusted(row.Json, version, row.EventId),
    };
}

/// <summary>A room's row.</summary>
public sealed record RoomRecord(long RoomNid, string RoomId, RoomVersion Version, long Head, bool IsPublic, long? CurrentSnapshot);

/// <summary>Somebody's membership by current state.</summary>
/// <param name="Position">Position of the membership event in stream events; 0: not in the stream.</param>
public sealed record MembershipRecord(long RoomNid, string RoomId, string UserId, string Membership, long EventNid, long Position, string Sender, bool Forgotten);

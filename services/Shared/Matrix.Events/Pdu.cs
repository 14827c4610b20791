using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>
/// An event as servers exchange it: the exact canonical bytes, and headers read in one pass. Immutable. Content is parsed on demand.
/// Spec: rooms/v*, server-server-api/#pdus
/// </summary>
public sealed partial class Pdu
{
    /// <summary>Largest event in bytes of canonical JSON, signatures included. Spec: client-server-api/#size-limits</summary>
    public const int MaxBytes = 65_536;

    public required RoomVersion Version { get; init; }
    public required string EventId { get; init; }
    public required string RoomId { get; init; }
    public required string Type { get; init; }
    public required string Sender { get; init; }
    /// <summary>Null for an event that is no state event.</summary>
    public required string? StateKey { get; init; }
    public required long OriginServerTs { get; init; }
    public required long Depth { get; init; }
    public required string[] PrevEvents { get; init; }
    public required string[] AuthEvents { get; init; }
    /// <summary>The event that an m.room.redaction redacts, wherever this version keeps it.</summary>
    public required string? Redacts { get; init; }
    /// <summary>Canonical JSON of the whole PDU without <c>unsigned</c> (and without event_id from version 3 on).</summary>
    public required ReadOnlyMemory<byte> Json { get; init; }
    /// <summary>The slice of <see cref="Json"/> that is the content object.</summary>
    public required ReadOnlyMemory<byte> Content { get; init; }

    public bool IsState => StateKey is not null;
    public StateKey StatePair => new(Type, StateKey ?? throw new InvalidOperationException("not a state event"));
    public override string ToString() => $"{Type} {EventId}";
}

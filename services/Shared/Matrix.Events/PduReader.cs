namespace Matrix.Events;

/// <summary>Why bytes are no PDU: <paramref name="TooLarge"/> tells the size limits apart (413) from malformed ones (400).</summary>
public readonly record struct PduFault(string Reason, bool TooLarge = false);

public sealed partial class Pdu
{
    /// <summary>
    /// Reads a PDU that came from outside: canonicalises, checks every limit (size, depth of nesting, ids, types of members, counts of
    /// prev and auth events), computes the event id. Does not check hash or signatures. <paramref name="pdu"/> is null when a fault is returned.
    /// </summary>
    public static PduFault? TryReadUntrusted(ReadOnlySpan<byte> json, RoomVersion version, out Pdu? pdu) => throw new NotImplementedException();

    /// <summary>Reads canonical bytes that this server stored itself: one pass, no checks. For version 12 create events the room id is derived.</summary>
    public static Pdu ReadTrusted(ReadOnlyMemory<byte> canonicalJson, RoomVersion version, string eventId) => throw new NotImplementedException();
}

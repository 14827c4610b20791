namespace Matrix.Events;

/// <summary>Content hash, reference hash and event id. Spec: server-server-api/#calculating-the-content-hash-for-an-event</summary>
public static class EventHashes
{
    /// <summary>SHA-256 over the canonical PDU without unsigned, signatures, hashes. 32 bytes.</summary>
    public static byte[] ContentHash(ReadOnlySpan<byte> pduJson) => throw new NotImplementedException();
    public static bool ContentHashMatches(ReadOnlySpan<byte> pduJson) => throw new NotImplementedException();
    /// <summary>SHA-256 over the redacted PDU without signatures and unsigned. 32 bytes.</summary>
    public static byte[] ReferenceHash(ReadOnlySpan<byte> pduJson, RoomVersion version) => throw new NotImplementedException();
    public static string EventId(ReadOnlySpan<byte> pduJson, RoomVersion version) => throw new NotImplementedException();
}

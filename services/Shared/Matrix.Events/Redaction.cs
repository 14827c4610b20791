namespace Matrix.Events;

/// <summary>The redaction algorithm of each version. Spec: client-server-api/#redactions</summary>
public static class Redaction
{
    /// <summary>Canonical JSON of the redacted PDU; signatures and hashes stay. Redacting twice is redacting once.</summary>
    public static byte[] Redact(ReadOnlySpan<byte> pduJson, RoomVersion version) => throw new NotImplementedException();
}

namespace Matrix.Events;

/// <summary>Signed JSON and signed events. Spec: appendices#signing-json, server-server-api/#adding-hashes-and-signatures-to-outgoing-events</summary>
public static class EventSigning
{
    /// <summary>Adds this server's signature to an object; canonical bytes come back. Existing signatures and unsigned stay.</summary>
    public static byte[] SignJson(ReadOnlySpan<byte> json, string serverName, SigningKey key, IEd25519 ed25519) => throw new NotImplementedException();
    /// <summary>Verifies the signature of that server and key over an object; false when there is none.</summary>
    public static bool VerifyJson(ReadOnlySpan<byte> json, string serverName, string keyId, ReadOnlySpan<byte> publicKey, IEd25519 ed25519) => throw new NotImplementedException();
    /// <summary>Adds a signature over the redacted form of a PDU (an invite that we accept for a remote server, for instance).</summary>
    public static byte[] SignEvent(ReadOnlySpan<byte> pduJson, RoomVersion version, string serverName, SigningKey key, IEd25519 ed25519) => throw new NotImplementedException();
    /// <summary>Verifies a signature over the redacted form of a PDU.</summary>
    public static bool VerifyEvent(ReadOnlySpan<byte> pduJson, RoomVersion version, string serverName, string keyId, ReadOnlySpan<byte> publicKey, IEd25519 ed25519) => throw new NotImplementedException();
    /// <summary>Server name and key id of every signature on an object; empty when malformed.</summary>
    public static IReadOnlyList<(string Server, string KeyId)> Signatures(ReadOnlySpan<byte> json) => throw new NotImplementedException();
}

/// <summary>What an event of this server is made of. Content is any JSON object; it is canonicalised.</summary>
/// <param name="RoomId">Null exactly for a version 12 create event, whose id becomes the room id.</param>
public sealed record EventDraft(
    string? RoomId, string Type, string? StateKey, string Sender, ReadOnlyMemory<byte> Content,
    long OriginServerTs, long Depth, string[] PrevEvents, string[] AuthEvents, string? Redacts = null);

public static class EventBuilder
{
    /// <summary>
    /// Canonicalises, hashes, signs and reads back. A fault (never an exception) when content is not strict canonical JSON, or a limit is broken.
    /// </summary>
    public static PduFault? TryBuild(EventDraft draft, RoomVersion version, string serverName, SigningKey key, IEd25519 ed25519, out Pdu? pdu) => throw new NotImplementedException();
}

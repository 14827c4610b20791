using System.Buffers.Text;
using System.Security.Cryptography;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>
/// Content hash, reference hash and event id. Spec: server-server-api/#calculating-the-content-hash-for-an-event. Arguments are JSON objects,
/// canonical or not; what is none is an <see cref="ArgumentException"/> (read untrusted bytes with <see cref="Pdu.TryReadUntrusted"/> first),
/// except where a bool answers.
/// </summary>
public static class EventHashes
{
    /// <summary>SHA-256 over the canonical PDU without unsigned, signatures, hashes. 32 bytes.</summary>
    public static byte[] ContentHash(ReadOnlySpan<byte> pduJson)
    {
        using var canonical = CanonicalPdu.Of(pduJson);
        var hash = new byte[32];
        ContentHashOfCanonical(canonical.Written, hash);
        return hash;
    }

    /// <summary>Whether <c>hashes.sha256</c> is the content hash. False when it is missing or malformed.</summary>
    public static bool ContentHashMatches(ReadOnlySpan<byte> pduJson)
    {
        using var canonical = CanonicalPdu.TryOf(pduJson);
        if (canonical is null) return false;
        if (!new CanonicalObject(canonical.Written).TryGet("hashes"u8, out var hashes)) return false;
        if (new CanonicalObject(hashes).GetString("sha256"u8) is not { } text || !UnpaddedBase64.TryDecode(text, out var stated)) return false;
        Span<byte> hash = stackalloc byte[32];
        ContentHashOfCanonical(canonical.Written, hash);
        return hash.SequenceEqual(stated);
    }

    /// <summary>SHA-256 over the redacted PDU without signatures and unsigned. 32 bytes.</summary>
    public static byte[] ReferenceHash(ReadOnlySpan<byte> pduJson, RoomVersion version)
    {
        using var canonical = CanonicalPdu.Of(pduJson);
        var hash = new byte[32];
        ReferenceHashOfCanonical(canonical.Written, version, hash);
        return hash;
    }

    /// <summary>The id of an event: its reference hash, in versions 1 and 2 its own event_id (empty when it has none).</summary>
    public static string EventId(ReadOnlySpan<byte> pduJson, RoomVersion version)
    {
        using var canonical = CanonicalPdu.Of(pduJson);
        return EventIdOfCanonical(canonical.Written, version);
    }

    internal static void ContentHashOfCanonical(ReadOnlySpan<byte> canonical, Span<byte> hash)
    {
        using var bare = new PooledBuffer(canonical.Length);
        CanonicalPdu.WriteWithout(canonical, bare, dropHashes: true);
        SHA256.HashData(bare.Written, hash);
    }

    internal static void ReferenceHashOfCanonical(ReadOnlySpan<byte> canonical, RoomVersion version, Span<byte> hash)
    {
        using var redacted = new PooledBuffer(canonical.Length);
        Redaction.Write(canonical, version, redacted, withSignatures: false);
        SHA256.HashData(redacted.Written, hash);
    }

    internal static string EventIdOfCanonical(ReadOnlySpan<byte> canonical, RoomVersion version)
    {
        if (version.EventIds == EventIdFormat.ServerGiven) return new CanonicalObject(canonical).GetString("event_id"u8) ?? "";
        Span<byte> hash = stackalloc byte[32];
        ReferenceHashOfCanonical(canonical, version, hash);
        return EventIdOfHash(hash, version);
    }

    /// <summary>Sigil and base64 of a reference hash; room version 3 and later.</summary>
    internal static string EventIdOfHash(ReadOnlySpan<byte> hash, RoomVersion version)
    {
        Span<char> id = stackalloc char[46];
        id[0] = '$';
        if (version.EventIds == EventIdFormat.HashUrlSafe) Base64Url.EncodeToChars(hash, id[1..], out _, out _);
        else Convert.TryToBase64Chars(hash, id[1..], out _);
        return new string(id[..44]);
    }
}

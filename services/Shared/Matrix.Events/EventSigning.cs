using System.Buffers;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>
/// Signed JSON and signed events. Spec: appendices#signing-json, server-server-api/#adding-hashes-and-signatures-to-outgoing-events.
/// Signing throws <see cref="ArgumentException"/> for what is no JSON object; verifying answers false.
/// </summary>
public static class EventSigning
{
    /// <summary>Adds this server's signature to an object; canonical bytes come back. Existing signatures and unsigned stay.</summary>
    public static byte[] SignJson(ReadOnlySpan<byte> json, string serverName, SigningKey key, IEd25519 ed25519)
    {
        using var canonical = CanonicalPdu.Of(json);
        using var bare = new PooledBuffer(canonical.Length);
        CanonicalPdu.WriteWithout(canonical.Written, bare, dropHashes: false);
        return AddSignature(canonical.Written, serverName, key.KeyId, ed25519.Sign(key.Seed, bare.Written));
    }

    /// <summary>Verifies the signature of that server and key over an object; false when there is none.</summary>
    public static bool VerifyJson(ReadOnlySpan<byte> json, string serverName, string keyId, ReadOnlySpan<byte> publicKey, IEd25519 ed25519)
    {
        using var canonical = CanonicalPdu.TryOf(json);
        if (canonical is null || SignatureOf(canonical.Written, serverName, keyId) is not { } signature) return false;
        using var bare = new PooledBuffer(canonical.Length);
        CanonicalPdu.WriteWithout(canonical.Written, bare, dropHashes: false);
        return ed25519.Verify(publicKey, bare.Written, signature);
    }

    /// <summary>Adds a signature over the redacted form of a PDU (an invite that we accept for a remote server, for instance).</summary>
    public static byte[] SignEvent(ReadOnlySpan<byte> pduJson, RoomVersion version, string serverName, SigningKey key, IEd25519 ed25519)
    {
        using var canonical = CanonicalPdu.Of(pduJson);
        using var redacted = new PooledBuffer(canonical.Length);
        Redaction.Write(canonical.Written, version, redacted, withSignatures: false);
        return AddSignature(canonical.Written, serverName, key.KeyId, ed25519.Sign(key.Seed, redacted.Written));
    }

    /// <summary>Verifies a signature over the redacted form of a PDU.</summary>
    public static bool VerifyEvent(
        ReadOnlySpan<byte> pduJson, RoomVersion version, string serverName, string keyId, ReadOnlySpan<byte> publicKey, IEd25519 ed25519)
    {
        using var canonical = CanonicalPdu.TryOf(pduJson);
        if (canonical is null || SignatureOf(canonical.Written, serverName, keyId) is not { } signature) return false;
        using var redacted = new PooledBuffer(canonical.Length);
        Redaction.Write(canonical.Written, version, redacted, withSignatures: false);
        return ed25519.Verify(publicKey, redacted.Written, signature);
    }

    /// <summary>Server name and key id of every signature on an object; empty when malformed.</summary>
    public static IReadOnlyList<(string Server, string KeyId)> Signatures(ReadOnlySpan<byte> json)
    {
        using var canonical = CanonicalPdu.TryOf(json);
        if (canonical is null || !new CanonicalObject(canonical.Written).TryGet("signatures"u8, out var signatures)) return [];
        var found = new List<(string, string)>();
        foreach (var server in new CanonicalObject(signatures))
        {
            var name = CanonicalValue.Unescape(server.Name);
            foreach (var key in new CanonicalObject(server.Value))
            {
                if (CanonicalValue.IsString(key.Value)) found.Add((name, CanonicalValue.Unescape(key.Name)));
            }
        }
        return found;
    }

    /// <summary>Whether canonical bytes carry any signature of that server (its validity is checked where events arrive).</summary>
    internal static bool HasSignatureOf(ReadOnlySpan<byte> canonical, string serverName)
    {
        if (!new CanonicalObject(canonical).TryGet("signatures"u8, out var signatures)) return false;
        foreach (var server in new CanonicalObject(signatures))
        {
            if (!Utf8Text.Equal(server.Name, serverName)) continue;
            foreach (var key in new CanonicalObject(server.Value))
            {
                if (CanonicalValue.IsString(key.Value)) return true;
            }
        }
        return false;
    }

    private static byte[]? SignatureOf(ReadOnlySpan<byte> canonical, string serverName, string keyId)
    {
        if (!new CanonicalObject(canonical).TryGet("signatures"u8, out var signatures)) return null;
        foreach (var server in new CanonicalObject(signatures))
        {
            if (!Utf8Text.Equal(server.Name, serverName)) continue;
            foreach (var key in new CanonicalObject(server.Value))
            {
                if (!Utf8Text.Equal(key.Name, keyId)) continue;
                return CanonicalValue.String(key.Value) is { } text && UnpaddedBase64.TryDecode(text, out var signature) ? signature : null;
            }
        }
        return null;
    }

    /// <summary>The object with a signature that somebody else made, not verified; one of the same key gives way. Canonical bytes.</summary>
    public static byte[] WithSignature(ReadOnlySpan<byte> json, string serverName, string keyId, byte[] signature)
    {
        using var canonical = CanonicalPdu.Of(json);
        return AddSignature(canonical.Written, serverName, keyId, signature);
    }

    private static byte[] AddSignature(ReadOnlySpan<byte> canonical, string serverName, string keyId, byte[] signature)
    {
        // Written unsorted, then made canonical: foreign names may need escapes, and order is decided in one place.
        using var merged = new PooledBuffer(canonical.Length + 256);
        var json = new MemberWriter(merged);
        ReadOnlySpan<byte> existing = default;
        foreach (var member in new CanonicalObject(canonical))
        {
            if (member.Name.SequenceEqual("signatures"u8)) existing = member.Value;
            else json.Text(member.Text);
        }
        json.Name("signatures"u8);
        var servers = new MemberWriter(merged);
        ReadOnlySpan<byte> ours = default;
        foreach (var server in new CanonicalObject(existing))
        {
            if (Utf8Text.Equal(server.Name, serverName)) ours = server.Value;
            else servers.Text(server.Text);
        }
        servers.NameOf(serverName);
        var keys = new MemberWriter(merged);
        foreach (var key in new CanonicalObject(ours))
        {
            if (!Utf8Text.Equal(key.Name, keyId)) keys.Text(key.Text);
        }
        keys.NameOf(keyId);
        CanonicalJson.WriteString(merged, UnpaddedBase64.Encode(signature));
        keys.End();
        servers.End();
        json.End();
        return CanonicalJson.Of(merged.Written);
    }
}

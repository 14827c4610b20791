using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Matrix.Primitives;

namespace Matrix.Events;

/// <param name="KeyId">With its algorithm.</param>
public readonly record struct JsonSignature(string Signer, string KeyId, string Signature);

/// <summary>
/// Signed objects that are no events, such as keys of devices: signatures are added to them after they were stored. Objects given are canonical.
/// Spec: appendices#signing-json
/// </summary>
public static class SignedJson
{
    /// <summary>SHA-256 of what is signed: the object without signatures and unsigned.</summary>
    public static byte[] HashOfSigned(ReadOnlySpan<byte> canonical)
    {
        using var bare = new PooledBuffer(Math.Max(canonical.Length, 16));
        CanonicalPdu.WriteWithout(canonical, bare, dropHashes: false);
        return SHA256.HashData(bare.Written);
    }

    /// <summary>The object without <c>unsigned</c>.</summary>
    public static byte[] WithoutUnsigned(ReadOnlySpan<byte> canonical)
    {
        using var output = new PooledBuffer(Math.Max(canonical.Length, 16));
        var json = new MemberWriter(output);
        foreach (var member in new CanonicalObject(canonical)) if (!member.Name.SequenceEqual("unsigned"u8)) json.Text(member.Text);
        json.End();
        return output.Written.ToArray();
    }

    /// <summary>
    /// Writes the object with further signatures, each in place of an older one of that signer and key, and with <paramref name="unsigned"/> (a JSON
    /// object; empty: none).
    /// </summary>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> canonical, ReadOnlySpan<JsonSignature> further, ReadOnlySpan<byte> unsigned)
    {
        var json = new MemberWriter(output);
        var written = further.Length == 0;
        foreach (var member in new CanonicalObject(canonical))
        {
            if (member.Name.SequenceEqual("unsigned"u8)) continue;
            if (written || !member.Name.SequenceEqual("signatures"u8))
            {
                json.Text(member.Text);
                continue;
            }
            json.Name("signatures"u8);
            WriteSignatures(output, member.Value, further);
            written = true;
        }
        if (!written)
        {
            json.Name("signatures"u8);
            WriteSignatures(output, default, further);
        }
        if (!unsigned.IsEmpty)
        {
            json.Name("unsigned"u8);
            output.Write(unsigned);
        }
        json.End();
    }

    private static void WriteSignatures(IBufferWriter<byte> output, ReadOnlySpan<byte> existing, ReadOnlySpan<JsonSignature> further)
    {
        var signers = new MemberWriter(output);
        foreach (var signer in new CanonicalObject(existing))
        {
            signers.Name(signer.Name);
            WriteSigner(output, signer.Name, signer.Value, further);
        }
        for (var i = 0; i < further.Length; i++)
        {
            var name = further[i].Signer;
            if (IndexOf(further[..i], name) >= 0 || HasMember(existing, name)) continue;
            signers.NameOf(name);
            WriteSigner(output, default, default, further[i..]);
        }
        signers.End();
    }

    /// <param name="signer">As it stands between the quotes; empty: that of the first of <paramref name="further"/>.</param>
    private static void WriteSigner(IBufferWriter<byte> output, ReadOnlySpan<byte> signer, ReadOnlySpan<byte> existing, ReadOnlySpan<JsonSignature> further)
    {
        var keys = new MemberWriter(output);
        foreach (var key in new CanonicalObject(existing)) if (!IsReplaced(signer, key.Name, further)) keys.Text(key.Text);
        for (var i = 0; i < further.Length; i++)
        {
            var s = further[i];
            if (!IsOf(s, signer, further) || IsRepeated(s, further[(i + 1)..])) continue;
            keys.NameOf(s.KeyId);
            CanonicalJson.WriteString(output, s.Signature);
        }
        keys.End();
    }

    private static bool IsOf(JsonSignature s, ReadOnlySpan<byte> signer, ReadOnlySpan<JsonSignature> further) =>
        signer.IsEmpty ? s.Signer == further[0].Signer : Is(signer, s.Signer);

    private static bool IsReplaced(ReadOnlySpan<byte> signer, ReadOnlySpan<byte> keyId, ReadOnlySpan<JsonSignature> further)
    {
        foreach (var s in further) if (Is(keyId, s.KeyId) && Is(signer, s.Signer)) return true;
        return false;
    }

    /// <summary>The last one of a key counts.</summary>
    private static bool IsRepeated(JsonSignature s, ReadOnlySpan<JsonSignature> later)
    {
        foreach (var other in later) if (other.KeyId == s.KeyId && other.Signer == s.Signer) return true;
        return false;
    }

    private static int IndexOf(ReadOnlySpan<JsonSignature> signatures, string signer)
    {
        for (var i = 0; i < signatures.Length; i++) if (signatures[i].Signer == signer) return i;
        return -1;
    }

    private static bool HasMember(ReadOnlySpan<byte> o, string name)
    {
        foreach (var member in new CanonicalObject(o)) if (Is(member.Name, name)) return true;
        return false;
    }

    /// <summary>Whether a name as it stands between the quotes is that text.</summary>
    private static bool Is(ReadOnlySpan<byte> name, string text) => Ascii.Equals(name, text) || ((!Ascii.IsValid(name) || name.Contains((byte)'\\')) && CanonicalValue.Unescape(name) == text);
}

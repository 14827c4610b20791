using System.Buffers;
using System.Security.Cryptography;
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
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> canonical, IReadOnlyCollection<JsonSignature> further, ReadOnlySpan<byte> unsigned)
    {
        var json = new MemberWriter(output);
        var written = further.Count == 0;
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

    private static void WriteSignatures(IBufferWriter<byte> output, ReadOnlySpan<byte> existing, IReadOnlyCollection<JsonSignature> further)
    {
        var signers = new MemberWriter(output);
        var done = new HashSet<string>(StringComparer.Ordinal);
        foreach (var signer in new CanonicalObject(existing))
        {
            var name = CanonicalValue.Unescape(signer.Name);
            done.Add(name);
            signers.NameOf(name);
            WriteSigner(output, signer.Value, further.Where(s => s.Signer == name));
        }
        foreach (var group in further.Where(s => !done.Contains(s.Signer)).GroupBy(s => s.Signer, StringComparer.Ordinal))
        {
            signers.NameOf(group.Key);
            WriteSigner(output, default, group);
        }
        signers.End();
    }

    private static void WriteSigner(IBufferWriter<byte> output, ReadOnlySpan<byte> existing, IEnumerable<JsonSignature> further)
    {
        var byKey = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var s in further) byKey[s.KeyId] = s.Signature;
        var keys = new MemberWriter(output);
        foreach (var key in new CanonicalObject(existing)) if (!byKey.ContainsKey(CanonicalValue.Unescape(key.Name))) keys.Text(key.Text);
        foreach (var (id, signature) in byKey)
        {
            keys.NameOf(id);
            CanonicalJson.WriteString(output, signature);
        }
        keys.End();
    }
}

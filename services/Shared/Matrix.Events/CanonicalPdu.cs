using System.Buffers;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>Work on the top level of canonical PDU bytes.</summary>
internal static class CanonicalPdu
{
    /// <summary>Canonical bytes of an object, tolerant about numbers. Throws for anything else: callers have read it before.</summary>
    public static PooledBuffer Of(ReadOnlySpan<byte> json) =>
        TryOf(json) ?? throw new ArgumentException("Not a JSON object that can be made canonical.", nameof(json));

    /// <summary>The same, null instead of an exception.</summary>
    public static PooledBuffer? TryOf(ReadOnlySpan<byte> json)
    {
        var buffer = new PooledBuffer(Math.Max(json.Length, 16));
        if (CanonicalJson.TryWrite(json, buffer, strict: false) == CanonicalJsonFault.None && CanonicalValue.IsObject(buffer.Written)) return buffer;
        buffer.Dispose();
        return null;
    }

    /// <summary>Copies an object without signatures, unsigned and, if said so, hashes.</summary>
    public static void WriteWithout(ReadOnlySpan<byte> canonical, IBufferWriter<byte> output, bool dropHashes)
    {
        var json = new MemberWriter(output);
        foreach (var member in new CanonicalObject(canonical))
        {
            var name = member.Name;
            if (name.SequenceEqual("signatures"u8) || name.SequenceEqual("unsigned"u8) || (dropHashes && name.SequenceEqual("hashes"u8))) continue;
            json.Text(member.Text);
        }
        json.End();
    }
}

/// <summary>Writes an object member by member: braces and commas.</summary>
internal struct MemberWriter(IBufferWriter<byte> output)
{
    private bool _any;

    private void Next()
    {
        output.Write(_any ? ","u8 : "{"u8);
        _any = true;
    }

    /// <summary>A whole member: name, colon, value.</summary>
    public void Text(ReadOnlySpan<byte> member)
    {
        Next();
        output.Write(member);
    }

    /// <summary>A name as it stands between the quotes; the caller writes the value.</summary>
    public void Name(ReadOnlySpan<byte> name)
    {
        Next();
        CanonicalJson.WriteRaw(output, name);
        output.Write(":"u8);
    }

    /// <summary>A name that may need escapes; the caller writes the value.</summary>
    public void NameOf(string name)
    {
        Next();
        CanonicalJson.WriteString(output, name);
        output.Write(":"u8);
    }

    public void String(ReadOnlySpan<byte> name, string value)
    {
        Name(name);
        CanonicalJson.WriteString(output, value);
    }

    public void Number(ReadOnlySpan<byte> name, long value)
    {
        Name(name);
        CanonicalJson.WriteNumber(output, value);
    }

    public void Raw(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Name(name);
        output.Write(value);
    }

    public void End()
    {
        if (!_any) output.Write("{"u8);
        output.Write("}"u8);
    }
}

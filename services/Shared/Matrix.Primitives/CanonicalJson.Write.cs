using System.Buffers;
using System.Text;

namespace Matrix.Primitives;

public static partial class CanonicalJson
{
    private static readonly SearchValues<char> NeedsEscape = SearchValues.Create(
        "\"\\" + string.Concat(Enumerable.Range(0, 0x20).Select(i => (char)i)));

    /// <summary>Writes a JSON string, quotes included, with the shortest escapes. Half surrogates become U+FFFD.</summary>
    public static void WriteString(IBufferWriter<byte> output, ReadOnlySpan<char> text)
    {
        var span = output.GetSpan(text.Length * 3 + 2);
        if (!text.ContainsAny(NeedsEscape))
        {
            span[0] = (byte)'"';
            var n = Encoding.UTF8.GetBytes(text, span[1..]);
            span[n + 1] = (byte)'"';
            output.Advance(n + 2);
            return;
        }
        output.Write("\""u8);
        while (text.Length > 0)
        {
            var i = text.IndexOfAny(NeedsEscape);
            var plain = i < 0 ? text : text[..i];
            span = output.GetSpan(plain.Length * 3 + 6);
            var n = Encoding.UTF8.GetBytes(plain, span);
            if (i >= 0) n += CanonicalScanner.WriteEscaped(span[n..], (byte)text[i]);
            output.Advance(n);
            text = i < 0 ? default : text[(i + 1)..];
        }
        output.Write("\""u8);
    }

    /// <summary>Writes a name or value given as UTF-8 that needs no escapes (identifiers of this code, not of users).</summary>
    public static void WriteRaw(IBufferWriter<byte> output, ReadOnlySpan<byte> utf8)
    {
        var span = output.GetSpan(utf8.Length + 2);
        span[0] = (byte)'"';
        utf8.CopyTo(span[1..]);
        span[utf8.Length + 1] = (byte)'"';
        output.Advance(utf8.Length + 2);
    }

    public static void WriteNumber(IBufferWriter<byte> output, long value)
    {
        value.TryFormat(output.GetSpan(20), out var n, default, null);
        output.Advance(n);
    }
}

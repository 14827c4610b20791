using System.Text;
using System.Text.Unicode;

namespace Matrix.Gateway.Routing.Affinity;

internal static class PercentDecoding
{
    /// <summary>Decodes once. Bytes written, or -1 when an escape is broken, the result is not UTF-8, or it does not fit.</summary>
    public static int Decode(ReadOnlySpan<char> text, Span<byte> destination)
    {
        var n = 0;
        while (!text.IsEmpty)
        {
            var percent = text.IndexOf('%');
            var plain = percent < 0 ? text : text[..percent];
            if (!Encoding.UTF8.TryGetBytes(plain, destination[n..], out var written)) return -1;
            n += written;
            if (percent < 0) break;
            text = text[percent..];
            if (text.Length < 3 || n >= destination.Length || !char.IsAsciiHexDigit(text[1]) || !char.IsAsciiHexDigit(text[2])) return -1;
            destination[n++] = (byte)((Nibble(text[1]) << 4) | Nibble(text[2]));
            text = text[3..];
        }
        return Utf8.IsValid(destination[..n]) ? n : -1;
    }

    private static int Nibble(char c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

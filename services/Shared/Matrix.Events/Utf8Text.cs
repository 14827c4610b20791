using System.Text;
using System.Text.Unicode;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>Comparisons between UTF-8 slices of events and strings, without allocation.</summary>
internal static class Utf8Text
{
    /// <summary>Whether what stands between the quotes of a canonical JSON string says <paramref name="text"/>.</summary>
    public static bool Equal(ReadOnlySpan<byte> escaped, string text)
    {
        if (escaped.Length == text.Length && Ascii.Equals(escaped, text)) return !escaped.Contains((byte)'\\');
        if (escaped.Length < text.Length) return false;
        if (escaped.Contains((byte)'\\')) return CanonicalValue.Unescape(escaped) == text;
        Span<byte> utf8 = stackalloc byte[512];
        if (text.Length > 170) return Encoding.UTF8.GetString(escaped) == text;
        return Utf8.FromUtf16(text, utf8, out _, out var n, replaceInvalidSequences: false) == System.Buffers.OperationStatus.Done
            && utf8[..n].SequenceEqual(escaped);
    }

    /// <summary>Whether a value is the string <paramref name="text"/>.</summary>
    public static bool ValueIs(ReadOnlySpan<byte> value, string text) => CanonicalValue.IsString(value) && Equal(value[1..^1], text);

    /// <summary>What follows the first colon: the server of a user id, alias or old event or room id. Empty when there is none.</summary>
    public static ReadOnlySpan<char> Domain(string id)
    {
        var colon = id.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? default : id.AsSpan(colon + 1);
    }
}

namespace Matrix.Primitives;

/// <summary>The order of canonical JSON: by code point, which is the order of UTF-8 bytes and not that of UTF-16 code units.</summary>
public static class CanonicalNames
{
    /// <summary>Compares two strings by code point.</summary>
    public static int Compare(string a, string b)
    {
        var n = Math.Min(a.Length, b.Length);
        for (var i = 0; i < n; i++)
        {
            int x = a[i], y = b[i];
            if (x == y) continue;
            // Surrogates stand for code points above everything else in the plane below them.
            if (char.IsSurrogate((char)x) != char.IsSurrogate((char)y)) return char.IsSurrogate((char)x) ? 1 : -1;
            return x - y;
        }
        return a.Length - b.Length;
    }

    /// <summary>Compares the contents of two canonical JSON strings (no quotes) of which at least one may hold escapes.</summary>
    internal static int CompareEscaped(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        int i = 0, j = 0;
        while (true)
        {
            var x = Next(a, ref i);
            var y = Next(b, ref j);
            if (x != y) return x - y;
            if (x < 0) return 0;
        }
    }

    private static int Next(ReadOnlySpan<byte> text, ref int at)
    {
        if (at >= text.Length) return -1;
        var b = text[at++];
        if (b != (byte)'\\') return b;
        switch (text[at++])
        {
            case (byte)'b': return 0x08;
            case (byte)'t': return 0x09;
            case (byte)'n': return 0x0A;
            case (byte)'f': return 0x0C;
            case (byte)'r': return 0x0D;
            case (byte)'u':
                var high = text[at + 2] - '0';
                var low = text[at + 3] is >= (byte)'a' and var c ? c - 'a' + 10 : text[at + 3] - '0';
                at += 4;
                return high << 4 | low;
            default: return text[at - 1];
        }
    }
}

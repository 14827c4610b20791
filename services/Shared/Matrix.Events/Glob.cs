namespace Matrix.Events;

/// <summary>Glob-style matching: <c>*</c> is any text, <c>?</c> one character. Spec: appendices#glob-style-matching</summary>
public static class Glob
{
    /// <summary>Whether the whole of <paramref name="text"/> matches. Time is at most the product of both lengths.</summary>
    /// <param name="questionMark">False: a question mark is an ordinary character (filters know the star alone).</param>
    /// <param name="ignoreCase">By invariant upper case of each UTF-16 unit.</param>
    public static bool Matches(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text, bool ignoreCase = false, bool questionMark = true)
    {
        int p = 0, t = 0, star = -1, mark = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                star = p++;
                mark = t;
            }
            else if (p < pattern.Length && pattern[p] == '?' && questionMark)
            {
                // A character outside the first plane is two units.
                t += char.IsHighSurrogate(text[t]) && t + 1 < text.Length && char.IsLowSurrogate(text[t + 1]) ? 2 : 1;
                p++;
            }
            else if (p < pattern.Length && Same(pattern[p], text[t], ignoreCase))
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                t = ++mark;
            }
            else
            {
                return false;
            }
        }
        while (p < pattern.Length && pattern[p] == '*') p++;
        return p == pattern.Length;
    }

    internal static bool Same(char a, char b, bool ignoreCase) =>
        a == b || (ignoreCase && char.ToUpperInvariant(a) == char.ToUpperInvariant(b));
}

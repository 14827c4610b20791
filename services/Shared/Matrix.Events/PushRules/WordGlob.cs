using System.Buffers;

namespace Matrix.Events;

/// <summary>
/// Case-insensitive matching of a glob against any part of a text that starts and ends at a word boundary. Time grows with the product of
/// both lengths, whatever the pattern. Spec: client-server-api/#conditions-1, event_match on content.body
/// </summary>
internal static class WordGlob
{
    private static bool IsWord(char c) => char.IsAsciiLetterOrDigit(c) || c == '_';

    // Synapse: a change between word and other characters is a boundary too, so that a pattern may begin or end with punctuation.
    private static bool IsBoundary(ReadOnlySpan<char> text, int at) =>
        at == 0 || at == text.Length || !IsWord(text[at - 1]) || !IsWord(text[at]);

    /// <summary>The same for a plain text, in which stars and question marks mean themselves.</summary>
    public static bool ContainsWord(ReadOnlySpan<char> word, ReadOnlySpan<char> text)
    {
        for (var from = 0; from + word.Length <= text.Length;)
        {
            var at = text[from..].IndexOf(word, StringComparison.OrdinalIgnoreCase);
            if (at < 0) return false;
            at += from;
            if (IsBoundary(text, at) && IsBoundary(text, at + word.Length)) return true;
            from = at + 1;
        }
        return false;
    }

    public static bool Matches(string pattern, ReadOnlySpan<char> text)
    {
        if (pattern.AsSpan().IndexOfAny('*', '?') < 0) return ContainsWord(pattern, text);

        // States of the automaton: how much of the pattern has been matched.
        var size = pattern.Length + 1;
        var rented = ArrayPool<bool>.Shared.Rent(size * 2);
        var now = rented.AsSpan(0, size);
        var next = rented.AsSpan(size, size);
        now.Clear();
        try
        {
            for (var at = 0; ; at++)
            {
                var boundary = IsBoundary(text, at);
                if (boundary) now[0] = true;
                for (var i = 0; i < pattern.Length; i++)
                {
                    if (now[i] && pattern[i] == '*') now[i + 1] = true;
                }
                if (boundary && now[pattern.Length]) return true;
                if (at == text.Length) return false;
                next.Clear();
                for (var i = 0; i < pattern.Length; i++)
                {
                    if (!now[i]) continue;
                    if (pattern[i] == '*') next[i] = true;
                    else if (pattern[i] == '?' || Glob.Same(pattern[i], text[at], ignoreCase: true)) next[i + 1] = true;
                }
                var swap = now;
                now = next;
                next = swap;
            }
        }
        finally
        {
            ArrayPool<bool>.Shared.Return(rented);
        }
    }
}

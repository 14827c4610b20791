using System.Globalization;
using System.Text;

namespace Matrix.UserDirectory.Index;

/// <summary>
/// What a user is found by. Text is cut into words of letters and digits, lower case (the database folds compatibility forms); a search finds words that begin
/// with what was typed. Scripts that write no blanks are found from any character on.
/// </summary>
internal static class SearchWords
{
    private const int MaxWords = 64;
    private const int MaxWordLength = 64;
    private const int MaxSearchWords = 8;

    /// <summary>Words of localpart and display name, each once, joined by blanks; empty when there are none.</summary>
    public static string Of(string userId, string? displayName)
    {
        var colon = userId.IndexOf(':', StringComparison.Ordinal);
        var words = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var word in Split(colon > 1 ? userId[1..colon] : userId).Concat(Split(displayName ?? "")))
        {
            if (words.Count >= MaxWords) break;
            words.Add(word);
            if (!WritesBlanks(word)) foreach (var tail in Tails(word)) words.Add(tail);
        }
        return string.Join(' ', words);
    }

    /// <summary>Query in PostgreSQL's syntax: every word must be the beginning of a word. Null: nothing to search for.</summary>
    public static string? Query(string term)
    {
        // A whole user id names its server too, which is no word of the directory.
        var colon = term.StartsWith('@') ? term.IndexOf(':', StringComparison.Ordinal) : -1;
        var words = Split(colon > 0 ? term[..colon] : term).Take(MaxSearchWords).ToList();
        return words.Count == 0 ? null : string.Join(" & ", words.Select(w => $"'{w}':*"));
    }

    private static IEnumerable<string> Split(string text)
    {
        var word = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsWordRune(rune) && word.Length < MaxWordLength)
            {
                word.Append(Rune.ToLowerInvariant(rune).ToString());
                continue;
            }
            if (word.Length > 0) yield return word.ToString();
            word.Clear();
            if (IsWordRune(rune)) word.Append(Rune.ToLowerInvariant(rune).ToString());
        }
        if (word.Length > 0) yield return word.ToString();
    }

    private static bool IsWordRune(Rune rune) => Rune.IsLetterOrDigit(rune)
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.OtherSymbol;

    /// <summary>False for Han, Kana, Hangul, Thai, Lao, Khmer and Burmese.</summary>
    private static bool WritesBlanks(string word)
    {
        foreach (var rune in word.EnumerateRunes())
            if (rune.Value is >= 0x0E00 and <= 0x0EFF or >= 0x1000 and <= 0x109F or >= 0x1780 and <= 0x17FF or >= 0x3040 and <= 0x30FF
                or >= 0x3400 and <= 0x9FFF or >= 0xAC00 and <= 0xD7AF or >= 0x20000 and <= 0x3FFFF) return false;
        return true;
    }

    private static IEnumerable<string> Tails(string word)
    {
        for (var i = 1; i < word.Length; i++) if (!char.IsLowSurrogate(word[i])) yield return word[i..];
    }
}

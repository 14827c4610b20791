using System.Globalization;
using System.Text;

namespace Matrix.Storage.Search;

/// <summary>
/// Cuts text into what the index of messages holds. Words of letters and digits, lower case (the database folds compatibility forms); scripts that write no blanks
/// become pairs of neighbouring characters, and the last of a run stands for itself too, so that one character is found as the beginning of a token.
/// </summary>
public static class SearchTokens
{
    private const int MaxTokens = 4_000;
    private const int MaxWordLength = 64;
    private const int MaxQueryWords = 32;
    /// <summary>PostgreSQL's last position.</summary>
    private const int MaxPosition = 16_383;

    /// <summary>The text of a tsvector with positions; empty when there is nothing to find it by.</summary>
    public static string ToVector(string text)
    {
        var vector = new StringBuilder();
        var position = 0;
        foreach (var run in Runs(text))
            foreach (var token in TokensOf(run))
            {
                if (++position > MaxTokens) return vector.ToString();
                // Letters and digits only: nothing to escape.
                vector.Append('\'').Append(token).Append("':").Append(CultureInfo.InvariantCulture, $"{Math.Min(position, MaxPosition)} ");
            }
        return vector.ToString();
    }

    /// <summary>What a search term asks for; null: nothing.</summary>
    public static SearchQuery? Parse(string term)
    {
        var wanted = new List<string>();
        var highlights = new List<string>();
        var excluded = new List<string>();
        var parts = term.Split('"');
        for (var i = 0; i < parts.Length; i++)
        {
            // Between quotes: the words must follow each other.
            if (i % 2 == 1 && i < parts.Length - 1)
            {
                var tokens = Runs(parts[i]).SelectMany(TokensOf).Take(MaxQueryWords).ToList();
                if (tokens.Count == 0) continue;
                wanted.Add($"({string.Join(" <-> ", tokens.Select(t => $"'{t}'"))})");
                highlights.AddRange(Runs(parts[i]));
                continue;
            }
            foreach (var word in parts[i].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
            {
                if (word.Length > 1 && word[0] == '-') excluded.AddRange(Runs(word[1..]).Select(Exactly));
                else
                    foreach (var run in Runs(word))
                    {
                        wanted.Add(Beginning(run));
                        highlights.Add(run);
                    }
            }
        }
        if (wanted.Count == 0) return null;
        var all = wanted.Take(MaxQueryWords).Concat(excluded.Take(MaxQueryWords).Select(e => "!" + e));
        return new SearchQuery(string.Join(" & ", all), [.. highlights.Distinct(StringComparer.Ordinal)]);
    }

    /// <summary>Words of a text that begin with one of the searched ones: what a client marks.</summary>
    public static IEnumerable<string> Highlighted(string text, IReadOnlyList<string> searched) =>
        Runs(text).SelectMany(run => WritesBlanks(run)
            ? searched.Any(s => run.StartsWith(s, StringComparison.Ordinal)) ? [run] : Array.Empty<string>()
            : searched.Where(s => run.Contains(s, StringComparison.Ordinal))).Distinct(StringComparer.Ordinal);

    private static string Beginning(string run)
    {
        if (WritesBlanks(run)) return $"'{run}':*";
        var tokens = TokensOf(run).ToList();
        return tokens.Count == 1 ? $"'{tokens[0]}':*" : $"({string.Join(" <-> ", tokens.SkipLast(1).Select(t => $"'{t}'"))})";
    }

    private static string Exactly(string run) => WritesBlanks(run) ? $"'{run}'" : Beginning(run);

    /// <summary>A word is itself; a run without blanks its pairs, then its last character.</summary>
    private static IEnumerable<string> TokensOf(string run)
    {
        if (WritesBlanks(run)) return [run];
        var runes = run.EnumerateRunes().ToArray();
        var tokens = new List<string>(runes.Length);
        for (var i = 0; i + 1 < runes.Length; i++) tokens.Add($"{runes[i]}{runes[i + 1]}");
        tokens.Add(runes[^1].ToString());
        return tokens;
    }

    /// <summary>Stretches of letters and digits that either write blanks or do not, folded.</summary>
    private static IEnumerable<string> Runs(string text)
    {
        var run = new StringBuilder();
        var blanks = true;
        foreach (var rune in text.EnumerateRunes())
        {
            var isWord = IsWordRune(rune);
            if (run.Length > 0 && (!isWord || WritesBlanks(rune) != blanks || (blanks && run.Length >= MaxWordLength)))
            {
                yield return run.ToString();
                run.Clear();
            }
            if (!isWord) continue;
            if (run.Length == 0) blanks = WritesBlanks(rune);
            run.Append(Rune.ToLowerInvariant(rune).ToString());
        }
        if (run.Length > 0) yield return run.ToString();
    }

    private static bool IsWordRune(Rune rune) => rune != Rune.ReplacementChar && (Rune.IsLetterOrDigit(rune)
        || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.OtherSymbol);

    private static bool WritesBlanks(string run) => WritesBlanks(Rune.GetRuneAt(run, 0));

    /// <summary>False for Thai, Lao, Burmese, Khmer, Kana, Han.</summary>
    private static bool WritesBlanks(Rune rune) =>
        rune.Value is not (>= 0x0E00 and <= 0x0EFF or >= 0x1000 and <= 0x109F or >= 0x1780 and <= 0x17FF or >= 0x3040 and <= 0x30FF
            or >= 0x3400 and <= 0x9FFF or >= 0xAC00 and <= 0xD7AF or >= 0xF900 and <= 0xFAFF or >= 0x20000 and <= 0x3FFFF);
}

/// <param name="Text">In the syntax of tsquery.</param>
/// <param name="Words">The words that are wanted, lower case.</param>
public sealed record SearchQuery(string Text, IReadOnlyList<string> Words);

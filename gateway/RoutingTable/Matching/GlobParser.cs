using System.Text;

namespace Matrix.Gateway.Routing.Matching;

/// <summary>
/// Reads the part of the regular expression language that routing tables use: <c>^ $ . .* [^/]+ (a|b) (a)? \.</c>, and writes each expression out as
/// the alternatives it stands for. What it cannot prove to match without going back is refused when the table is built.
/// </summary>
internal static class GlobParser
{
    public static IEnumerable<Glob> Parse(string pattern)
    {
        var anchored = pattern.StartsWith('^');
        var at = anchored ? 1 : 0;
        var sequences = ParseAlternatives(pattern, ref at);
        if (at != pattern.Length) throw Refused(pattern, "unbalanced parenthesis");
        foreach (var sequence in sequences) yield return Compile(pattern, anchored, sequence);
    }

    // A sequence is text: private characters stand for what is not literal.
    private const char Star = '\uFFFE', Segment = '\uFFFD', End = '\uFFFC';

    private static List<string> ParseAlternatives(string pattern, ref int at)
    {
        var done = new List<string>();
        var open = new List<string> { "" };
        while (at < pattern.Length && pattern[at] != ')')
        {
            switch (pattern[at])
            {
                case '|':
                    done.AddRange(open);
                    open = [""];
                    at++;
                    break;
                case '(':
                    at++;
                    var inner = ParseAlternatives(pattern, ref at);
                    if (at >= pattern.Length) throw Refused(pattern, "unbalanced parenthesis");
                    at++;
                    if (at < pattern.Length && pattern[at] == '?') { inner.Add(""); at++; }
                    open = open.SelectMany(o => inner.Select(i => o + i)).ToList();
                    break;
                default:
                    var piece = ParsePiece(pattern, ref at);
                    open = open.ConvertAll(o => o + piece);
                    break;
            }
        }
        done.AddRange(open);
        return done;
    }

    private static char ParsePiece(string pattern, ref int at)
    {
        var c = pattern[at++];
        switch (c)
        {
            case '.' when at < pattern.Length && pattern[at] == '*': at++; return Star;
            case '.': return Glob.AnyChar;
            case '$': return End;
            case '\\' when at < pattern.Length && !char.IsAsciiLetterOrDigit(pattern[at]): return pattern[at++];
            case '[' when pattern.AsSpan(at).StartsWith("^/]+"): at += 4; return Segment;
            case '[' or ']' or '{' or '}' or '*' or '+' or '?' or '^' or '\\': throw Refused(pattern, $"'{c}'");
            default: return c;
        }
    }

    private static Glob Compile(string pattern, bool anchored, string sequence)
    {
        var closed = sequence.EndsWith(End);
        if (closed) sequence = sequence[..^1];
        if (sequence.Contains(End, StringComparison.Ordinal)) throw Refused(pattern, "'$' before the end");
        var parts = new List<GlobPart>();
        if (!anchored) parts.Add(new(GlobPartKind.Star));
        var text = new StringBuilder();
        foreach (var c in sequence)
        {
            if (c is not (Star or Segment)) { text.Append(c); continue; }
            Flush();
            parts.Add(new(c == Star ? GlobPartKind.Star : GlobPartKind.Segment));
        }
        Flush();
        if (parts is [.., { Kind: GlobPartKind.Star }]) closed = false;         // .*$ is no condition
        if (!closed) while (parts is [.., { Kind: GlobPartKind.Star }]) parts.RemoveAt(parts.Count - 1);
        var prefix = "";
        if (parts is [{ Kind: GlobPartKind.Literal } first, ..])
        {
            var wild = first.Text.IndexOf(Glob.AnyChar, StringComparison.Ordinal);
            prefix = wild < 0 ? first.Text : first.Text[..wild];
            parts.RemoveAt(0);
            if (wild >= 0) parts.Insert(0, new(GlobPartKind.Literal, first.Text[wild..]));
        }
        Check(pattern, parts, closed);
        return new(prefix, [.. parts], closed);

        void Flush()
        {
            if (text.Length > 0) parts.Add(new(GlobPartKind.Literal, text.ToString()));
            text.Clear();
        }
    }

    private static void Check(string pattern, List<GlobPart> parts, bool closed)
    {
        for (var i = 0; i < parts.Count; i++)
        {
            GlobPart? next = i + 1 < parts.Count ? parts[i + 1] : null;
            if (parts[i].Kind == GlobPartKind.Segment && next is { } after && !after.Text.StartsWith('/'))
                throw Refused(pattern, "[^/]+ must be followed by '/' or the end");
            if (parts[i].Kind != GlobPartKind.Star || next is null) continue;
            // The first place where the literal stands is the right one only if anything may follow it.
            if (next.Value.Kind != GlobPartKind.Literal || next.Value.HasAnyChar) throw Refused(pattern, "'.*' must be followed by plain text");
            var last = i + 2 == parts.Count;
            if (!last && parts[i + 2].Kind != GlobPartKind.Star) throw Refused(pattern, "'.*text' must be followed by '.*' or the end");
            _ = closed;     // closed and last: compared with the end of the path
        }
    }

    private static NotSupportedException Refused(string pattern, string what) => new($"Routing pattern {pattern}: {what} is not supported.");
}

namespace Matrix.Gateway.Routing.Matching;

internal enum GlobPartKind : byte
{
    /// <summary>Text as it stands; <see cref="Glob.AnyChar"/> in it stands for any one character.</summary>
    Literal,
    /// <summary><c>.*</c></summary>
    Star,
    /// <summary><c>[^/]+</c></summary>
    Segment,
}

internal readonly record struct GlobPart(GlobPartKind Kind, string Text = "")
{
    public bool HasAnyChar { get; } = Text.Contains(Glob.AnyChar, StringComparison.Ordinal);
}

/// <summary>
/// One alternative of a row's regular expression: a literal prefix, then parts. Matching never goes back: <see cref="GlobParser"/> lets only such
/// patterns through for which the first fit of every part is the right one.
/// </summary>
/// <param name="Prefix">What every match begins with; empty when the expression is not anchored.</param>
/// <param name="Closed">The last part must end where the path ends.</param>
internal sealed record Glob(string Prefix, GlobPart[] Parts, bool Closed)
{
    /// <summary>An unescaped dot of the expression. Not a character that a path can hold.</summary>
    public const char AnyChar = '\uFFFF';

    /// <summary>Whether <paramref name="rest"/>, what follows the prefix, fits.</summary>
    public bool MatchesRest(ReadOnlySpan<char> rest)
    {
        var parts = Parts;
        for (var i = 0; i < parts.Length; i++)
        {
            ref readonly var part = ref parts[i];
            switch (part.Kind)
            {
                case GlobPartKind.Literal:
                    if (!StartsWith(rest, part)) return false;
                    rest = rest[part.Text.Length..];
                    break;
                case GlobPartKind.Segment:
                    var slash = rest.IndexOf('/');
                    var length = slash < 0 ? rest.Length : slash;
                    if (length == 0) return false;
                    rest = rest[length..];
                    break;
                default:
                    if (i == parts.Length - 1) return true;
                    var text = parts[i + 1].Text;
                    if (i + 1 == parts.Length - 1 && Closed) return rest.EndsWith(text, StringComparison.Ordinal);
                    var at = rest.IndexOf(text, StringComparison.Ordinal);
                    if (at < 0) return false;
                    rest = rest[(at + text.Length)..];
                    i++;
                    break;
            }
        }
        return !Closed || rest.IsEmpty;
    }

    private static bool StartsWith(ReadOnlySpan<char> rest, in GlobPart part)
    {
        if (!part.HasAnyChar) return rest.StartsWith(part.Text, StringComparison.Ordinal);
        if (rest.Length < part.Text.Length) return false;
        for (var i = 0; i < part.Text.Length; i++)
            if (part.Text[i] != rest[i] && part.Text[i] != AnyChar) return false;
        return true;
    }
}

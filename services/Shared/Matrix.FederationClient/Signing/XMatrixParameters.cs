using System.Text;

namespace Matrix.FederationClient.Signing;

/// <summary>
/// Parameters of an Authorization header (RFC 9110, 11.4): name=value, the value a token or a quoted string; blanks around commas.
/// Colons are taken without quotes too, as old servers write them.
/// </summary>
internal static class XMatrixParameters
{
    /// <summary>Takes the next parameter and the comma after it; false when the text is malformed.</summary>
    public static bool TryNext(ref ReadOnlySpan<char> rest, out ReadOnlySpan<char> name, out string value)
    {
        value = "";
        rest = rest.TrimStart(" \t,");
        var equals = rest.IndexOf('=');
        name = equals < 0 ? default : rest[..equals].TrimEnd(" \t");
        if (name.IsEmpty || !IsToken(name)) return false;
        rest = rest[(equals + 1)..].TrimStart(" \t");
        if (!(rest is ['"', ..] ? TryQuoted(ref rest, out value) : TryToken(ref rest, out value))) return false;
        rest = rest.TrimStart(" \t");
        if (rest.IsEmpty) return true;
        if (rest[0] != ',') return false;
        rest = rest[1..].TrimStart(" \t,");
        return true;
    }

    private static bool TryToken(ref ReadOnlySpan<char> rest, out string value)
    {
        var end = rest.IndexOfAny(" \t,");
        var token = end < 0 ? rest : rest[..end];
        value = token.ToString();
        rest = rest[token.Length..];
        return !token.IsEmpty && !token.Contains('"');
    }

    private static bool TryQuoted(ref ReadOnlySpan<char> rest, out string value)
    {
        var text = new StringBuilder();
        for (var i = 1; i < rest.Length; i++)
        {
            var c = rest[i];
            if (c == '"')
            {
                rest = rest[(i + 1)..];
                value = text.ToString();
                return true;
            }
            if (c == '\\')
            {
                if (++i == rest.Length) break;
                c = rest[i];
            }
            text.Append(c);
        }
        value = "";
        return false;
    }

    private static bool IsToken(ReadOnlySpan<char> text)
    {
        foreach (var c in text) if (!char.IsAsciiLetterOrDigit(c) && !"!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal)) return false;
        return true;
    }
}

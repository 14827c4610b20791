using System.Globalization;
using System.Text;

namespace Matrix.ClientApi.Sso;

/// <summary>From names at providers to localparts. Spec: appendices/#mapping-from-other-character-sets</summary>
internal static class Localparts
{
    /// <summary>Lower case; what no localpart may have, and '=' itself, as <c>=xx</c>; so is a first underscore.</summary>
    public static string HexEncode(string name)
    {
        var result = new StringBuilder();
        foreach (var b in Encoding.UTF8.GetBytes(name.ToLowerInvariant()))
        {
            var c = (char)b;
            if (IsAllowed(c) && !(c == '_' && result.Length == 0)) result.Append(c);
            else result.Append(CultureInfo.InvariantCulture, $"={b:x2}");
        }
        return result.ToString();
    }

    /// <summary>Lower case; a dot for each character that no localpart may have. Synapse: mxid_mapping dotreplace.</summary>
    public static string DotReplace(string name)
    {
        var result = new StringBuilder();
        foreach (var rune in name.ToLowerInvariant().EnumerateRunes()) result.Append(rune.IsAscii && (IsAllowed((char)rune.Value) || rune.Value == '=') ? (char)rune.Value : '.');
        return result.Length > 0 && result[0] == '_' ? "=5f" + result.ToString(1, result.Length - 1) : result.ToString();
    }

    private static bool IsAllowed(char c) => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '.' or '_' or '-' or '/' or '+';
}

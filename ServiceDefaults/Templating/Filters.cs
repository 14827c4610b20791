using System.Globalization;
using System.Text.Encodings.Web;

namespace Matrix.ServiceDefaults.Templating;

/// <summary>Filters (<c>x | lower</c>), methods of texts (<c>x.lower()</c>) and tests (<c>x is defined</c>) that templates may use.</summary>
internal static class Filters
{
    /// <summary>Null: no such filter.</summary>
    public static Func<object?, IReadOnlyList<object?>, object?>? Find(string name) => name switch
    {
        "lower" => (v, _) => TemplateValue.Text(v).ToLowerInvariant(),
        "upper" => (v, _) => TemplateValue.Text(v).ToUpperInvariant(),
        "capitalize" => (v, _) => Capitalize(TemplateValue.Text(v)),
        "title" => (v, _) => string.Join(' ', TemplateValue.Text(v).Split(' ').Select(Capitalize)),
        "trim" => (v, _) => TemplateValue.Text(v).Trim(),
        "default" or "d" => (v, a) => v is null || (IsTrue(a, 1) && !TemplateValue.IsTrue(v)) ? At(a, 0) ?? "" : v,
        "length" or "count" => (v, _) => (long)(v switch { string s => s.Length, IReadOnlyCollection<object?> l => l.Count, IReadOnlyDictionary<string, object?> m => m.Count, _ => 0 }),
        "first" => (v, _) => TemplateValue.Member(v, 0L),
        "last" => (v, _) => TemplateValue.Member(v, -1L),
        "join" => (v, a) => v is IReadOnlyList<object?> list ? string.Join(TemplateValue.Text(At(a, 0)), list.Select(TemplateValue.Text)) : TemplateValue.Text(v),
        "replace" => (v, a) => Replace(TemplateValue.Text(v), a),
        "string" => (v, _) => TemplateValue.Text(v),
        "int" => (v, _) => long.TryParse(TemplateValue.Text(v), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) ? n : 0L,
        "urlencode" => (v, _) => Uri.EscapeDataString(TemplateValue.Text(v)),
        // "safe" is no filter here: what comes from outside stays encoded whatever a template says.
        "e" or "escape" => (v, _) => v is Html ? v : new Html(HtmlEncoder.Default.Encode(TemplateValue.Text(v))),
        // Synapse: what is before the @ of an address.
        "localpart_from_email" => (v, _) => TemplateValue.Text(v) is var s && s.IndexOf('@', StringComparison.Ordinal) is >= 0 and var at ? s[..at] : s,
        // Synapse: of an icon or avatar, by width, height and method. The address is for pages of this server.
        "mxc_to_http" => (v, a) => Thumbnail(TemplateValue.Text(v), a),
        _ => null,
    };

    /// <summary>Methods of texts and maps, as Python has them; null: no such method.</summary>
    public static Func<object?, IReadOnlyList<object?>, object?>? FindMethod(string name) => name switch
    {
        "lower" or "upper" or "title" or "capitalize" or "replace" => Find(name),
        "strip" => (v, a) => At(a, 0) is string chars ? TemplateValue.Text(v).Trim(chars.ToCharArray()) : TemplateValue.Text(v).Trim(),
        "split" => (v, a) => Split(TemplateValue.Text(v), a),
        "startswith" => (v, a) => TemplateValue.Text(v).StartsWith(TemplateValue.Text(At(a, 0)), StringComparison.Ordinal),
        "endswith" => (v, a) => TemplateValue.Text(v).EndsWith(TemplateValue.Text(At(a, 0)), StringComparison.Ordinal),
        "join" => (v, a) => At(a, 0) is IReadOnlyList<object?> list ? string.Join(TemplateValue.Text(v), list.Select(TemplateValue.Text)) : "",
        "get" => (v, a) => TemplateValue.Member(v, At(a, 0)) ?? At(a, 1),
        _ => null,
    };

    /// <summary>Null: no such test.</summary>
    public static Func<object?, bool>? FindTest(string name) => name switch
    {
        "defined" => v => v is not null,
        "undefined" or "none" => v => v is null,
        "string" => v => v is string or Html,
        "true" => v => v is true,
        "false" => v => v is false,
        _ => null,
    };

    private static object? At(IReadOnlyList<object?> arguments, int i) => i < arguments.Count ? arguments[i] : null;

    private static bool IsTrue(IReadOnlyList<object?> arguments, int i) => TemplateValue.IsTrue(At(arguments, i));

    private static string Thumbnail(string mxc, IReadOnlyList<object?> a) => !mxc.StartsWith("mxc://", StringComparison.Ordinal) ? ""
        : $"/_matrix/media/v3/thumbnail/{string.Join('/', mxc[6..].Split('#')[0].Split('/').Select(Uri.EscapeDataString))}"
            + $"?width={TemplateValue.Text(At(a, 0))}&height={TemplateValue.Text(At(a, 1))}&method={TemplateValue.Text(At(a, 2) ?? "crop")}";

    private static string Capitalize(string s) => s.Length == 0 ? s : char.ToUpperInvariant(s[0]) + s[1..].ToLowerInvariant();

    private static string Replace(string text, IReadOnlyList<object?> a) =>
        TemplateValue.Text(At(a, 0)) is { Length: > 0 } old ? text.Replace(old, TemplateValue.Text(At(a, 1)), StringComparison.Ordinal) : text;

    private static List<object?> Split(string text, IReadOnlyList<object?> a)
    {
        var count = At(a, 1) is long n && n >= 0 ? (int)Math.Min(n, 1000) + 1 : int.MaxValue;
        return TemplateValue.Text(At(a, 0)) is { Length: > 0 } by
            ? [.. text.Split(by, count)]
            : [.. text.Split((char[]?)null, count, StringSplitOptions.RemoveEmptyEntries)];
    }
}

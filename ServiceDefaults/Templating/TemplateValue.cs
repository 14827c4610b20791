using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Matrix.ServiceDefaults.Templating;

/// <summary>Text that is HTML already and is not encoded again.</summary>
internal sealed record Html(string Text);

/// <summary>
/// What templates compute with: null, bool, long, double, string, <see cref="Html"/>, lists and maps. What is missing is null and shows as nothing.
/// </summary>
internal static class TemplateValue
{
    public static bool IsTrue(object? value) => value switch
    {
        null => false,
        bool b => b,
        long n => n != 0,
        double n => n != 0,
        string s => s.Length > 0,
        Html h => h.Text.Length > 0,
        IReadOnlyCollection<object?> list => list.Count > 0,
        IReadOnlyDictionary<string, object?> map => map.Count > 0,
        _ => true,
    };

    public static string Text(object? value) => value switch
    {
        null => "",
        string s => s,
        Html h => h.Text,
        bool b => b ? "True" : "False",
        IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
        IReadOnlyList<object?> list => string.Join(", ", list.Select(Text)),
        _ => "",
    };

    public static void Write(object? value, bool encode, StringBuilder output)
    {
        if (encode && value is not Html) output.Append(HtmlEncoder.Default.Encode(Text(value)));
        else output.Append(Text(value));
    }

    public static object? Member(object? of, object? key) => (of, key) switch
    {
        (IReadOnlyDictionary<string, object?> map, string name) => map.GetValueOrDefault(name),
        (IReadOnlyList<object?> list, long i) => (i < 0 ? i + list.Count : i) is var n && n >= 0 && n < list.Count ? list[(int)n] : null,
        (string text, long i) => (i < 0 ? i + text.Length : i) is var n && n >= 0 && n < text.Length ? text[(int)n].ToString() : null,
        _ => null,
    };

    public static object? Slice(object? of, object? from, object? to)
    {
        var length = of switch { string s => s.Length, IReadOnlyList<object?> l => l.Count, _ => 0 };
        var start = Bound(from, 0, length);
        var end = Math.Max(start, Bound(to, length, length));
        return of switch { string s => s[start..end], IReadOnlyList<object?> l => l.Skip(start).Take(end - start).ToList(), _ => null };
    }

    private static int Bound(object? value, int otherwise, int length) =>
        value is long n ? (int)Math.Clamp(n < 0 ? n + length : n, 0, length) : otherwise;

    public static bool AreEqual(object? a, object? b) => (a, b) switch
    {
        (Html x, _) => AreEqual(x.Text, b),
        (_, Html y) => AreEqual(a, y.Text),
        (long x, double y) => x == y,
        (double x, long y) => x == y,
        _ => Equals(a, b),
    };

    public static int? Compare(object? a, object? b) => (a, b) switch
    {
        (string x, string y) => string.Compare(x, y, StringComparison.Ordinal),
        (long or double, long or double) => Convert.ToDouble(a, CultureInfo.InvariantCulture).CompareTo(Convert.ToDouble(b, CultureInfo.InvariantCulture)),
        _ => null,
    };

    public static bool Contains(object? container, object? item) => container switch
    {
        string s => item is string part && s.Contains(part, StringComparison.Ordinal),
        IReadOnlyDictionary<string, object?> map => item is string key && map.ContainsKey(key),
        IReadOnlyList<object?> list => list.Any(i => AreEqual(i, item)),
        _ => false,
    };

    public static object? FromJson(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.String => json.GetString(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Number => json.TryGetInt64(out var n) ? n : json.GetDouble(),
        JsonValueKind.Array => json.EnumerateArray().Select(FromJson).ToList(),
        JsonValueKind.Object => Map(json),
        _ => null,
    };

    private static Dictionary<string, object?> Map(JsonElement json)
    {
        var map = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var member in json.EnumerateObject()) map[member.Name] = FromJson(member.Value);
        return map;
    }
}

using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Matrix.Unit.Properties;

/// <summary>Generators of JSON texts: valid ones in many spellings, and broken ones.</summary>
internal static class JsonText
{
    private static readonly Gen<string> Char = Gen.OneOf(
        Gen.Choose(0x20, 0x7E).Select(c => c is '"' or '\\' ? "\\" + (char)c : ((char)c).ToString()),
        Gen.Elements("\\n", "\\t", "\\u0000", "\\u001f", "\\/", "\\u00e9", "é", "\\ud83d\\ude00", "😀", "\\uffff", "￿", "\\u0061", "\u007f"));

    public static readonly Gen<string> String = Gen.ListOf(Char).Select(l => "\"" + string.Concat(l.Take(8)) + "\"");

    private static readonly Gen<string> Scalar = Gen.OneOf(
        String, Gen.Elements("true", "false", "null", "0", "-1", "9007199254740991", "-9007199254740991"),
        Gen.Choose(-100000, 100000).Select(n => n.ToString(System.Globalization.CultureInfo.InvariantCulture)));

    private static readonly Gen<string> Space = Gen.Elements("", "", "", " ", "\n", "\t ", "\r\n");

    /// <summary>A valid text whose objects have no name twice.</summary>
    public static Gen<string> Value(int depth) => depth == 0 ? Scalar : Gen.OneOf(Scalar, Array(depth - 1), Object(depth - 1));

    private static Gen<string> Array(int depth) =>
        from items in Gen.ListOf(Value(depth))
        from space in Space
        select "[" + space + string.Join(space + "," + space, items.Take(5)) + space + "]";

    public static Gen<string> Object(int depth) =>
        from names in Gen.ListOf(String)
        from values in Gen.ListOf(Value(depth), 6)
        from space in Space
        select "{" + space + string.Join(
            "," + space, names.DistinctBy(n => System.Text.Json.JsonDocument.Parse(n).RootElement.GetString()).Take(6).Select((n, i) => n + space + ":" + space + values[i])) + "}";

    public static Arbitrary<string> Valid => Arb.From(Value(4));

    /// <summary>A valid text with one byte changed, removed or doubled; mostly no JSON any more.</summary>
    public static Arbitrary<byte[]> Mangled => Arb.From(
        from text in Value(3)
        from at in Gen.Choose(0, 10_000)
        from how in Gen.Choose(0, 2)
        from b in Gen.Elements((byte)'"', (byte)'\\', (byte)'{', (byte)'}', (byte)',', (byte)':', (byte)'0', (byte)'-', (byte)0xFF, (byte)'u')
        select Mangle(Encoding.UTF8.GetBytes(text), at, how, b));

    private static byte[] Mangle(byte[] text, int at, int how, byte b)
    {
        var i = at % text.Length;
        return how switch
        {
            0 => [.. text[..i], b, .. text[(i + 1)..]],
            1 => [.. text[..i], .. text[(i + 1)..]],
            _ => [.. text[..i], b, .. text[i..]],
        };
    }
}

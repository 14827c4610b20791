using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Web.Json;

namespace Matrix.Web.Keys;

/// <summary>Reading what is sent about keys.</summary>
public static class KeyJson
{
    /// <summary>Canonical JSON of a value, as it is signed; what has no such form is M_BAD_JSON.</summary>
    public static byte[] Canonical(JsonElement value, int limit, string what)
    {
        var text = value.GetRawText();
        if (text.Length > limit * 4L) throw TooLarge(what);
        var json = CanonicalJson.ToArray(Encoding.UTF8.GetBytes(text), out var fault)
            ?? throw MatrixError.BadJson($"{what}: {CanonicalJson.Describe(fault)}").AsException();
        return json.Length <= limit ? json : throw TooLarge(what);
    }

    private static MatrixException TooLarge(string what) => MatrixError.TooLarge($"{what} is too large").AsException();

    /// <summary>Ids go into the database: no control characters, no endless ones.</summary>
    public static string Id(string id, string what)
    {
        if (id.Length is 0 or > KeyLimits.Id) throw MatrixError.InvalidParam($"{what}: too short or too long").AsException();
        foreach (var c in id) if (char.IsControl(c)) throw MatrixError.InvalidParam($"{what}: control characters").AsException();
        return id;
    }

    public static JsonElement Object(this JsonElement o, string name) =>
        o.ObjectOrNull(name) ?? throw MatrixError.BadJson($"Missing '{name}'").AsException();

    public static JsonElement Array(this JsonElement o, string name) =>
        o.ArrayOrNull(name) ?? throw MatrixError.BadJson($"Missing '{name}'").AsException();

    public static string Text(this JsonElement o, string name) =>
        o.StringOrNull(name) ?? throw MatrixError.BadJson($"Missing '{name}'").AsException();

    /// <summary>An object whose values are strings.</summary>
    public static void RequireStrings(JsonElement o, string what)
    {
        foreach (var member in o.EnumerateObject())
            if (member.Value.ValueKind != JsonValueKind.String) throw MatrixError.BadJson($"'{what}' must map to strings").AsException();
    }

    /// <summary>Signatures: users to key ids to strings.</summary>
    public static void RequireSignatures(JsonElement signatures)
    {
        foreach (var signer in signatures.EnumerateObject())
        {
            if (signer.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'signatures' must map users to objects").AsException();
            RequireStrings(signer.Value, "signatures");
        }
    }
}

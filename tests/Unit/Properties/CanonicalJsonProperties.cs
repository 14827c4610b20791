using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Matrix.Primitives;

namespace Matrix.Unit.Properties;

public class CanonicalJsonProperties
{
    private static readonly Config Many = Config.QuickThrowOnFailure.WithMaxTest(500).WithQuietOnSuccess(true);

    private static byte[]? Canonical(byte[] json, out CanonicalJsonFault fault, bool strict = true) => CanonicalJson.ToArray(json, out fault, strict);

    [Fact]
    public void The_canonical_form_is_stable_and_means_the_same() => Check.One(Many, Prop.ForAll(JsonText.Valid, text =>
    {
        var json = Encoding.UTF8.GetBytes(text);
        var once = Canonical(json, out var fault);
        if (once is null) return false.Label($"{fault}: {text}");
        var twice = Canonical(once, out _)!;
        using var a = JsonDocument.Parse(json);
        using var b = JsonDocument.Parse(once);
        return (once.AsSpan().SequenceEqual(twice) && JsonElement.DeepEquals(a.RootElement, b.RootElement)).Label(text);
    }));

    [Fact]
    public void Every_object_is_sorted_by_the_bytes_of_its_names() => Check.One(Many, Prop.ForAll(JsonText.Valid, text =>
    {
        var json = Canonical(Encoding.UTF8.GetBytes(text), out _)!;
        using var document = JsonDocument.Parse(json);
        return Sorted(document.RootElement).Label(text);
    }));

    private static bool Sorted(JsonElement json)
    {
        if (json.ValueKind == JsonValueKind.Array) return json.EnumerateArray().All(Sorted);
        if (json.ValueKind != JsonValueKind.Object) return true;
        var names = json.EnumerateObject().Select(p => Encoding.UTF8.GetBytes(p.Name)).ToArray();
        for (var i = 1; i < names.Length; i++)
        {
            if (names[i - 1].AsSpan().SequenceCompareTo(names[i]) >= 0) return false;
        }
        return json.EnumerateObject().All(p => Sorted(p.Value));
    }

    [Fact]
    public void The_same_texts_are_taken_as_by_the_platform_reader() => Check.One(Many, Prop.ForAll(JsonText.Mangled, json =>
    {
        Canonical(json, out var fault, strict: false);
        // Half surrogates, duplicates and depth are faults of ours alone; invalid UTF-8 the platform finds only when a string is read.
        if (fault is not (CanonicalJsonFault.None or CanonicalJsonFault.NotJson) || !System.Text.Unicode.Utf8.IsValid(json)) return true.ToProperty();
        return (fault == CanonicalJsonFault.None == PlatformReads(json)).Label(Encoding.UTF8.GetString(json));
    }));

    private static bool PlatformReads(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 1000 });
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    [Fact]
    public void Strings_are_compared_as_their_utf8_bytes() => Check.One(Many, Prop.ForAll(Arb.From(JsonText.String), Arb.From(JsonText.String), (x, y) =>
    {
        var a = JsonSerializer.Deserialize<string>(x)!;
        var b = JsonSerializer.Deserialize<string>(y)!;
        var expected = Encoding.UTF8.GetBytes(a).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(b));
        return (Math.Sign(CanonicalNames.Compare(a, b)) == Math.Sign(expected)).Label($"{x} {y}");
    }));
}

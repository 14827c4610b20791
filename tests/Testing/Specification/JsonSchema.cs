using System.Text.Json;
using System.Text.RegularExpressions;

namespace Matrix.Testing.Specification;

/// <summary>One schema, ready to look at values: as much of JSON Schema 2020-12 as the specification uses.</summary>
internal sealed class JsonSchema
{
    private readonly string? reference;
    private readonly Func<string, JsonSchema> resolve;
    private readonly HashSet<string>? types;
    private readonly string[] required;
    private readonly Dictionary<string, JsonSchema> properties = new(StringComparer.Ordinal);
    private readonly List<(Regex Name, JsonSchema Schema)> patterns = [];
    private readonly JsonSchema? additional, items, propertyNames;
    private readonly bool closed;
    private readonly JsonElement[]? values;
    private readonly Regex? pattern;
    private readonly string? format;
    private readonly decimal? minimum, maximum;
    private readonly int? minItems, maxItems, maxLength;
    private readonly JsonSchema[] all, any, one;

    public JsonSchema(JsonElement source, Func<string, JsonSchema> resolve)
    {
        this.resolve = resolve;
        reference = source.TryGetProperty("$ref", out var r) ? r.GetString() : null;
        if (source.TryGetProperty("type", out var t)) types = t.ValueKind == JsonValueKind.Array ? [.. t.EnumerateArray().Select(n => n.GetString()!)] : [t.GetString()!];
        required = source.TryGetProperty("required", out var q) ? [.. q.EnumerateArray().Select(n => n.GetString()!)] : [];
        if (source.TryGetProperty("properties", out var p)) foreach (var m in p.EnumerateObject()) properties[m.Name] = new JsonSchema(m.Value, resolve);
        if (source.TryGetProperty("patternProperties", out var pp))
            foreach (var m in pp.EnumerateObject()) patterns.Add((new Regex(m.Name, RegexOptions.CultureInvariant), new JsonSchema(m.Value, resolve)));
        if (source.TryGetProperty("additionalProperties", out var ap))
        {
            closed = ap.ValueKind == JsonValueKind.False;
            additional = ap.ValueKind == JsonValueKind.Object ? new JsonSchema(ap, resolve) : ap.ValueKind == JsonValueKind.True ? Anything : null;
        }
        propertyNames = source.TryGetProperty("propertyNames", out var pn) ? new JsonSchema(pn, resolve) : null;
        items = source.TryGetProperty("items", out var i) ? new JsonSchema(i, resolve) : null;
        if (source.TryGetProperty("enum", out var e)) values = [.. e.EnumerateArray()];
        else if (source.TryGetProperty("const", out var c)) values = [c];
        pattern = source.TryGetProperty("pattern", out var x) ? new Regex(x.GetString()!, RegexOptions.CultureInvariant) : null;
        format = source.TryGetProperty("format", out var f) ? f.GetString() : null;
        minimum = source.TryGetProperty("minimum", out var lo) ? lo.GetDecimal() : null;
        maximum = source.TryGetProperty("maximum", out var hi) ? hi.GetDecimal() : null;
        minItems = source.TryGetProperty("minItems", out var few) ? few.GetInt32() : null;
        maxItems = source.TryGetProperty("maxItems", out var many) ? many.GetInt32() : null;
        maxLength = source.TryGetProperty("maxLength", out var long_) ? long_.GetInt32() : null;
        all = Parts("allOf");
        any = Parts("anyOf");
        one = Parts("oneOf");

        JsonSchema[] Parts(string name) => source.TryGetProperty(name, out var list) ? [.. list.EnumerateArray().Select(s => new JsonSchema(s, resolve))] : [];
    }

    private static JsonSchema Anything { get; } = new(JsonDocument.Parse("{}").RootElement, _ => throw new InvalidOperationException());

    private JsonSchema? Referred => reference is null ? null : resolve(reference);

    public void Check(JsonElement value, string pointer, SchemaFindings findings) => Check(value, pointer, findings, isWhole: true);

    private void Check(JsonElement value, string pointer, SchemaFindings findings, bool isWhole)
    {
        if (types is not null && !IsOfOne(value))
        {
            findings.Fault(pointer, "type " + string.Join(" or ", types), value);
            return;
        }
        if (values is not null && !values.Any(v => JsonElement.DeepEquals(v, value))) findings.Fault(pointer, "one of " + string.Join(", ", values), value);
        Referred?.Check(value, pointer, findings, isWhole: false);
        foreach (var part in all) part.Check(value, pointer, findings, isWhole: false);
        // Alternatives that are all wrong are told by the first one's faults.
        if (any.Length > 0 && any.Count(s => s.Accepts(value)) == 0) any[0].Check(value, pointer, findings, isWhole: false);
        if (one.Length > 0 && one.Count(s => s.Accepts(value)) is var fitting and not 1)
        {
            if (fitting == 0) one[0].Check(value, pointer, findings, isWhole: false);
            else findings.Fault(pointer, "exactly one of the alternatives", value);
        }
        switch (value.ValueKind)
        {
            case JsonValueKind.Object: CheckObject(value, pointer, findings, isWhole); break;
            case JsonValueKind.Array: CheckArray(value, pointer, findings); break;
            case JsonValueKind.String: CheckString(value, pointer, findings); break;
            case JsonValueKind.Number when value.TryGetDecimal(out var n) && (n < minimum || n > maximum):
                findings.Fault(pointer, $"from {minimum} to {maximum}", value);
                break;
        }
    }

    private bool Accepts(JsonElement value)
    {
        var findings = new SchemaFindings();
        Check(value, "", findings, isWhole: false);
        return findings.Faults.Count == 0;
    }

    private void CheckObject(JsonElement value, string pointer, SchemaFindings findings, bool isWhole)
    {
        foreach (var name in required) if (!value.TryGetProperty(name, out _)) findings.Fault($"{pointer}/{Escape(name)}", "to be there", default);
        foreach (var member in value.EnumerateObject())
        {
            var named = properties.TryGetValue(member.Name, out var schema);
            // Most members of most objects are nobody's business.
            if (!named && patterns.Count == 0 && additional is null && propertyNames is null && !closed && !SpecificationNotes.AreWanted) continue;
            var at = $"{pointer}/{Escape(member.Name)}";
            if (propertyNames is not null && propertyNames.pattern?.IsMatch(member.Name) == false) findings.Fault(at, $"a name like {propertyNames.pattern}", default);
            if (named) schema!.Check(member.Value, at, findings);
            foreach (var (name, other) in patterns)
            {
                if (!name.IsMatch(member.Name)) continue;
                named = true;
                other.Check(member.Value, at, findings);
            }
            if (!named) additional?.Check(member.Value, at, findings);
            if (!named && closed) findings.Fault(at, "not to be there", member.Value);
            if (isWhole && SpecificationNotes.AreWanted && !IsOpen && !Knows(member.Name)) findings.Unknown(at);
        }
    }

    /// <summary>Says nothing of members.</summary>
    private bool IsOpen => properties.Count == 0 && patterns.Count == 0 && (Referred?.IsOpen ?? true) && all.All(s => s.IsOpen) && any.All(s => s.IsOpen) && one.All(s => s.IsOpen);

    private bool Knows(string name) =>
        additional is not null || properties.ContainsKey(name) || patterns.Any(p => p.Name.IsMatch(name)) || Referred?.Knows(name) == true
        || all.Any(s => s.Knows(name)) || any.Any(s => s.Knows(name)) || one.Any(s => s.Knows(name));

    private void CheckArray(JsonElement value, string pointer, SchemaFindings findings)
    {
        var count = value.GetArrayLength();
        if (count < minItems || count > maxItems) findings.Fault(pointer, $"{minItems} to {maxItems} items", value);
        if (items is null) return;
        var index = 0;
        foreach (var item in value.EnumerateArray()) items.Check(item, $"{pointer}/{index++}", findings);
    }

    private void CheckString(JsonElement value, string pointer, SchemaFindings findings)
    {
        if (pattern is null && format is null && maxLength is null) return;
        var text = value.GetString()!;
        if (pattern?.IsMatch(text) == false) findings.Fault(pointer, $"a match of {pattern}", value);
        if (text.Length > maxLength) findings.Fault(pointer, $"at most {maxLength} characters", value);
        var fits = format switch
        {
            "uri" => Uri.TryCreate(text, UriKind.Absolute, out _),
            "mx-server-name" => text.Length > 0 && !text.Contains('/', StringComparison.Ordinal),
            "mx-unpadded-base64" => !text.Contains('=', StringComparison.Ordinal),
            "email" => text.Contains('@', StringComparison.Ordinal),
            _ => true,
        };
        if (!fits) findings.Fault(pointer, $"format {format}", value);
    }

    private bool IsOfOne(JsonElement value)
    {
        foreach (var type in types!) if (IsOf(value, type)) return true;
        return false;
    }

    private static bool IsOf(JsonElement value, string type) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        // Canonical JSON knows no fraction: 1.0 is none of Matrix's integers.
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        "number" => value.ValueKind == JsonValueKind.Number,
        _ => throw new InvalidOperationException($"unknown type {type}"),
    };

    private static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}

using System.Text;
using System.Text.Json;

namespace Matrix.Testing.Specification;

/// <summary>Bodies made from the schema of an operation: what it requires, and one more place in it that holds something else.</summary>
/// <param name="sample">A value for a string: by the name of its member and its format.</param>
public sealed class SampleBody(Operation operation, Func<string, string, string> sample)
{
    private const int Depth = 5;
    /// <summary>They lead to servers elsewhere.</summary>
    private static readonly HashSet<string> LeftOut = ["id_server", "invite_3pid", "id_access_token"];

    /// <summary>The body with all that is required, as JSON.</summary>
    public string Plain() => Write([], "");

    /// <summary>All places in the body, by the names that lead there; "0" is the first item of an array, and the body itself is the empty place.</summary>
    public IEnumerable<string[]> Places() => Places(operation.BodySchema!.Value, []);

    /// <summary>The body with JSON of the caller's at a place.</summary>
    public string With(string[] place, string json) => Write(place, json);

    /// <summary>Whether the schema takes a body.</summary>
    public bool IsValid(string json)
    {
        var findings = new SchemaFindings();
        using var document = JsonDocument.Parse(json);
        try
        {
            operation.Body!.Check(document.RootElement, "", findings);
        }
        catch (InvalidOperationException)
        {
            return false;       // half of a surrogate pair
        }
        return findings.Faults.Count == 0;
    }

    private static IEnumerable<string[]> Places(JsonElement schema, string[] path)
    {
        yield return path;
        if (path.Length == Depth) yield break;
        var (properties, _, items) = Shape(schema);
        foreach (var (name, child) in properties)
            foreach (var place in Places(child, [.. path, name])) yield return place;
        if (items is { } item)
            foreach (var place in Places(item, [.. path, "0"])) yield return place;
    }

    /// <summary>Members, the required ones among them, and the schema of items: of the schema, what it refers to, all its parts, and its last alternative.</summary>
    private static (Dictionary<string, JsonElement> Properties, HashSet<string> Required, JsonElement? Items) Shape(JsonElement schema)
    {
        var (properties, required, items) = (new Dictionary<string, JsonElement>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal), (JsonElement?)null);
        Add(schema);
        foreach (var name in LeftOut) properties.Remove(name);
        return (properties, required, items);

        void Add(JsonElement part)
        {
            if (part.TryGetProperty("$ref", out var r)) Add(MatrixSpecification.Source(r.GetString()!));
            foreach (var list in new[] { "allOf", "anyOf", "oneOf" })
                if (part.TryGetProperty(list, out var parts))
                    foreach (var p in list == "allOf" ? parts.EnumerateArray() : parts.EnumerateArray().TakeLast(1)) Add(p);
            if (part.TryGetProperty("properties", out var members)) foreach (var m in members.EnumerateObject()) properties[m.Name] = m.Value;
            foreach (var (keyword, name) in new[] { ("additionalProperties", "x"), ("patternProperties", "") })
                if (part.TryGetProperty(keyword, out var more) && more.ValueKind == JsonValueKind.Object)
                    foreach (var (key, child) in name.Length > 0 ? [(name, more)] : more.EnumerateObject().Select(m => (m.Name.TrimStart('^') + "x:test.example", m.Value))) properties.TryAdd(key, child);
            if (part.TryGetProperty("required", out var names)) required.UnionWith(names.EnumerateArray().Select(n => n.GetString()!));
            if (part.TryGetProperty("items", out var i)) items = i;
        }
    }

    private string Write(ReadOnlySpan<string> place, string json)
    {
        var text = new StringBuilder();
        Write(text, operation.BodySchema!.Value, "", place, json, 0);
        return text.ToString();
    }

    private void Write(StringBuilder text, JsonElement schema, string name, ReadOnlySpan<string> place, string json, int depth)
    {
        if (place.IsEmpty && json.Length > 0)
        {
            text.Append(json);
            return;
        }
        var (properties, required, items) = Shape(schema);
        if (name == "auth" && place.IsEmpty) text.Append(sample("auth", ""));
        else if (items is { } item)
        {
            text.Append('[');
            Write(text, item, name, place.IsEmpty ? [] : place[1..], place.IsEmpty ? "" : json, depth + 1);
            text.Append(']');
        }
        else if (properties.Count > 0 || TypeOf(schema) == "object")
        {
            text.Append('{');
            var first = true;
            foreach (var (key, child) in properties)
            {
                var leads = !place.IsEmpty && place[0] == key;
                if (!leads && !required.Contains(key) && key != "auth" || depth > Depth) continue;
                text.Append(first ? "" : ",").Append('"').Append(JsonEncodedText.Encode(key)).Append("\":");
                first = false;
                Write(text, child, key, leads ? place[1..] : [], leads ? json : "", depth + 1);
            }
            text.Append('}');
        }
        else text.Append(Leaf(schema, name));
    }

    private string Leaf(JsonElement schema, string name)
    {
        if (schema.TryGetProperty("enum", out var values)) return values[0].GetRawText();
        return TypeOf(schema) switch
        {
            "integer" or "number" => "1",
            "boolean" => "true",
            "array" => "[]",
            "object" => "{}",
            _ => $"\"{JsonEncodedText.Encode(sample(name, schema.TryGetProperty("format", out var f) ? f.GetString()! : ""))}\"",
        };
    }

    private static string TypeOf(JsonElement schema) =>
        schema.TryGetProperty("type", out var t) ? t.ValueKind == JsonValueKind.String ? t.GetString()! : t[0].GetString()!
        : schema.TryGetProperty("$ref", out var r) ? TypeOf(MatrixSpecification.Source(r.GetString()!)) : "string";
}

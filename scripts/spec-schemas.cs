// What tests check answers against: the OpenAPI documents of Matrix as one file of JSON schemas, without their prose.
//
//   dotnet run scripts/spec-schemas.cs -- PATH-OF-A-MATRIX-SPEC-CHECKOUT [OUTPUT]
//
// The checkout is that of github.com/matrix-org/matrix-spec at the tag of the version that is served (its folder data/, where data/api may
// also be called openapi). The file is tests/Testing/Specification/schemas.json; what stands in it is said beside it, in its README.
#:package YamlDotNet
#:property PublishAot=false
#:property ManagePackageVersionsCentrally=true
#:property JsonSerializerIsReflectionEnabledByDefault=false

using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

if (args.Length is 0 or > 2)
{
    Console.Error.WriteLine("usage: dotnet run scripts/spec-schemas.cs -- PATH-OF-A-MATRIX-SPEC-CHECKOUT [OUTPUT]");
    return 2;
}
var data = Directory.Exists(Path.Combine(args[0], "data", "api")) ? Path.Combine(args[0], "data") : args[0];
var api = new[] { "openapi", "api" }.Select(f => Path.Combine(data, f)).FirstOrDefault(Directory.Exists)
    ?? throw new DirectoryNotFoundException($"{args[0]} holds neither data/api nor openapi");
var documents = new Documents(data, api);
var schemas = new Schemas(documents);
var text = new StringBuilder("{\n\"source\": \"github.com/matrix-org/matrix-spec, Apache-2.0\",\n\"operations\": [\n");
var operations = new List<string>();
foreach (var folder in new[] { "client-server", "server-server", "push-gateway", "identity" })
    foreach (var file in Directory.EnumerateFiles(Path.Combine(api, folder), "*.yaml").Order(StringComparer.Ordinal))
        operations.AddRange(new Operations(documents, schemas).Of(file));
text.AppendJoin(",\n", operations.Order(StringComparer.Ordinal)).Append("\n],\n\"events\": {\n");
// What the server writes itself; the content of every other event is its sender's.
var events = new[] { "m.fully_read", "m.presence", "m.push_rules", "m.receipt", "m.tag", "m.typing" };
text.AppendJoin(",\n", events.Select(t =>
    $"{JsonSerializer.Serialize(t, Script.Default.String)}: {schemas.Reference(Path.Combine(data, "event-schemas", "schema", t + ".yaml"), "")}"));
text.Append("\n},\n\"definitions\": {\n").AppendJoin(",\n", schemas.Definitions()).Append("\n}\n}\n");
var output = args.Length > 1 ? args[1] : Path.Combine("tests", "Testing", "Specification", "schemas.json");
File.WriteAllText(output, text.ToString());
Console.WriteLine($"{output}: {operations.Count} operations, {text.Length / 1024} KiB");
return 0;

/// <summary>YAML files by path, and pointers into them.</summary>
internal sealed class Documents(string root, string api)
{
    private readonly Dictionary<string, YamlNode> read = new(StringComparer.Ordinal);

    public YamlNode this[string file]
    {
        get
        {
            if (read.TryGetValue(file, out var node)) return node;
            var stream = new YamlStream();
            using (var reader = File.OpenText(file)) stream.Load(reader);
            return read[file] = stream.Documents[0].RootNode;
        }
    }

    /// <summary>Name of a definition: where it stands below the data folder, whatever the folder of the documents is called.</summary>
    public string Name(string file, string pointer)
    {
        var place = file.StartsWith(api + Path.DirectorySeparatorChar, StringComparison.Ordinal) ? Path.GetRelativePath(api, file) : Path.GetRelativePath(root, file);
        return Path.ChangeExtension(place, null) + (pointer.Length == 0 ? "" : "#" + pointer);
    }

    public static (string File, string Pointer) Target(string reference, string from)
    {
        var at = reference.IndexOf('#', StringComparison.Ordinal);
        var (file, pointer) = at < 0 ? (reference, "") : (reference[..at], reference[(at + 1)..]);
        return (file.Length == 0 ? from : Path.GetFullPath(file, Path.GetDirectoryName(from)!), pointer);
    }

    public YamlNode At(string file, string pointer)
    {
        var node = this[file];
        foreach (var part in pointer.Split('/', StringSplitOptions.RemoveEmptyEntries)) node = node[part.Replace("~1", "/", StringComparison.Ordinal)];
        return node;
    }

    /// <summary>The node itself, or what it refers to, and the file where that stands.</summary>
    public (YamlMappingNode Node, string File) Follow(YamlNode node, string file)
    {
        while (((YamlMappingNode)node).Text("$ref") is { } reference)
        {
            (file, var pointer) = Target(reference, file);
            node = At(file, pointer);
        }
        return ((YamlMappingNode)node, file);
    }
}

/// <summary>Schemas without prose. What they refer to becomes a definition of its own, once.</summary>
internal sealed class Schemas(Documents documents)
{
    private static readonly HashSet<string> Kept =
    [
        "type", "required", "properties", "additionalProperties", "patternProperties", "propertyNames", "items", "enum", "const", "pattern", "format",
        "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "allOf", "anyOf", "oneOf", "not",
    ];

    private readonly SortedDictionary<string, string> definitions = new(StringComparer.Ordinal);

    public IEnumerable<string> Definitions() => definitions.Select(d => $"{JsonSerializer.Serialize(d.Key, Script.Default.String)}: {d.Value}");

    public string Reference(string file, string pointer)
    {
        var name = documents.Name(file, pointer);
        if (definitions.TryAdd(name, "")) definitions[name] = Script.Json(w => Write(w, documents.At(file, pointer), file));
        return Script.Json(w => Refer(w, name));
    }

    private static void Refer(Utf8JsonWriter w, string name)
    {
        w.WriteStartObject();
        w.WriteString("$ref", name);
        w.WriteEndObject();
    }

    public void Write(Utf8JsonWriter w, YamlNode node, string file)
    {
        if (node is YamlScalarNode)
        {
            Script.Value(w, node);
            return;
        }
        w.WriteStartObject();
        foreach (var (key, value) in (YamlMappingNode)node)
        {
            var name = ((YamlScalarNode)key).Value!;
            if (name == "$ref")
            {
                var (target, pointer) = Documents.Target(((YamlScalarNode)value).Value!, file);
                Reference(target, pointer);
                w.WriteString(name, documents.Name(target, pointer));
            }
            if (!Kept.Contains(name)) continue;
            w.WritePropertyName(name);
            switch (name)
            {
                case "properties" or "patternProperties":
                    w.WriteStartObject();
                    foreach (var (property, schema) in (YamlMappingNode)value)
                    {
                        w.WritePropertyName(((YamlScalarNode)property).Value!);
                        Write(w, schema, file);
                    }
                    w.WriteEndObject();
                    break;
                case "allOf" or "anyOf" or "oneOf":
                    w.WriteStartArray();
                    foreach (var schema in (YamlSequenceNode)value) Write(w, schema, file);
                    w.WriteEndArray();
                    break;
                case "additionalProperties" or "items" or "not" or "propertyNames":
                    Write(w, value, file);
                    break;
                default:
                    Script.Value(w, value);
                    break;
            }
        }
        w.WriteEndObject();
    }
}

/// <summary>The operations of one document, a line each.</summary>
internal sealed class Operations(Documents documents, Schemas schemas)
{
    public IEnumerable<string> Of(string file)
    {
        var root = (YamlMappingNode)documents[file];
        var prefix = root.Child("servers") is YamlSequenceNode servers
            ? ((YamlMappingNode)servers[0]).Child("variables")?.Map().Child("basePath")?.Map().Text("default") ?? "" : "";
        foreach (var (path, methods) in (YamlMappingNode)root["paths"])
            foreach (var (method, operation) in (YamlMappingNode)methods)
            {
                var verb = ((YamlScalarNode)method).Value!.ToUpperInvariant();
                if (verb is not ("GET" or "PUT" or "POST" or "DELETE")) continue;
                var full = prefix.TrimEnd('/') + ((YamlScalarNode)path).Value!.Trim();
                var shared = methods.Map().Child("parameters") as YamlSequenceNode;
                yield return Script.Json(w => Write(w, verb, full, (YamlMappingNode)operation, shared, file));
            }
    }

    private void Write(Utf8JsonWriter w, string verb, string path, YamlMappingNode operation, YamlSequenceNode? shared, string file)
    {
        w.WriteStartObject();
        w.WriteString("path", path);
        w.WriteString("method", verb);
        w.WriteString("id", operation.Text("operationId"));
        w.WriteString("auth", Auth(operation.Child("security") as YamlSequenceNode));
        w.WriteStartArray("query");
        foreach (var parameter in (shared ?? []).Concat(operation.Child("parameters") as YamlSequenceNode ?? []))
        {
            var (node, place) = documents.Follow(parameter, file);
            if (node.Text("in") != "query") continue;
            w.WriteStartObject();
            w.WriteString("name", node.Text("name"));
            w.WriteBoolean("required", node.Text("required") == "true");
            w.WritePropertyName("schema");
            schemas.Write(w, node["schema"], place);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        if (operation.Child("requestBody") is { } body && documents.Follow(body, file) is var (request, from) && request.Child("content")?.Map().Child("application/json") is { } json)
        {
            w.WritePropertyName("body");
            schemas.Write(w, json["schema"], from);
        }
        w.WriteStartObject("responses");
        foreach (var (status, response) in (YamlMappingNode)operation["responses"])
        {
            var (node, place) = documents.Follow(response, file);
            w.WriteStartObject(((YamlScalarNode)status).Value!);
            if (node.Child("content") is YamlMappingNode { Children.Count: > 0 } content)
            {
                var (type, media) = content.FirstOrDefault(c => ((YamlScalarNode)c.Key).Value == "application/json", content.First());
                w.WriteString("type", ((YamlScalarNode)type).Value);
                if (((YamlScalarNode)type).Value == "application/json" && media.Map().Child("schema") is { } schema)
                {
                    w.WritePropertyName("schema");
                    schemas.Write(w, schema, place);
                }
            }
            w.WriteEndObject();
        }
        w.WriteEndObject();
        w.WriteEndObject();
    }

    private static string Auth(YamlSequenceNode? security)
    {
        if (security is null || security.Children.Count == 0) return "none";
        var names = security.SelectMany(s => s is YamlMappingNode { Children.Count: > 0 } m ? m.Children.Keys.Select(k => ((YamlScalarNode)k).Value!) : [""]).ToList();
        return names.Contains("") ? "optional" : names[0] switch { "signedRequest" => "federation", var n when n.StartsWith("appservice", StringComparison.Ordinal) => "appservice", _ => "user" };
    }
}

[System.Text.Json.Serialization.JsonSerializable(typeof(string))]
internal sealed partial class Script : System.Text.Json.Serialization.JsonSerializerContext
{
    public static string Json(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var w = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping })) write(w);
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    /// <summary>A value as it is, plain scalars by the core schema of YAML.</summary>
    public static void Value(Utf8JsonWriter w, YamlNode node)
    {
        switch (node)
        {
            case YamlSequenceNode list:
                w.WriteStartArray();
                foreach (var n in list) Value(w, n);
                w.WriteEndArray();
                break;
            case YamlMappingNode map:
                w.WriteStartObject();
                foreach (var (k, v) in map)
                {
                    w.WritePropertyName(((YamlScalarNode)k).Value!);
                    Value(w, v);
                }
                w.WriteEndObject();
                break;
            case YamlScalarNode { Style: ScalarStyle.Plain, Value: "true" or "false" } s:
                w.WriteBooleanValue(s.Value == "true");
                break;
            case YamlScalarNode { Style: ScalarStyle.Plain, Value: "null" or "~" or "" }:
                w.WriteNullValue();
                break;
            case YamlScalarNode { Style: ScalarStyle.Plain } s when decimal.TryParse(s.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var n):
                w.WriteNumberValue(n);
                break;
            default:
                w.WriteStringValue(((YamlScalarNode)node).Value);
                break;
        }
    }
}

internal static class YamlExtensions
{
    public static YamlMappingNode Map(this YamlNode node) => (YamlMappingNode)node;
    public static YamlNode? Child(this YamlMappingNode node, string name) => node.Children.TryGetValue(new YamlScalarNode(name), out var child) ? child : null;
    public static string? Text(this YamlMappingNode node, string name) => (node.Child(name) as YamlScalarNode)?.Value;
}

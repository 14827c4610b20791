using System.Collections.Concurrent;
using System.Text.Json;

namespace Matrix.Testing.Specification;

/// <summary>The operations of Matrix v1.19, found by the path of a request.</summary>
public static class MatrixSpecification
{
    private static readonly JsonElement Document = Read();
    private static readonly ConcurrentDictionary<string, JsonSchema> Definitions = new(StringComparer.Ordinal);
    private static readonly Dictionary<string, JsonSchema> Events =
        Document.GetProperty("events").EnumerateObject().ToDictionary(e => e.Name, e => new JsonSchema(e.Value, Definition), StringComparer.Ordinal);

    public static IReadOnlyList<Operation> Operations { get; } = [.. Document.GetProperty("operations").EnumerateArray().Select(o => new Operation(o, Definition))];

    private static readonly ILookup<int, (string[] Template, Operation Operation)> ByLength =
        Operations.Select(o => (Template: Segments(o.Path), Operation: o)).ToLookup(o => o.Template.Length);

    internal static JsonSchema Definition(string name) =>
        Definitions.GetOrAdd(name, n => new JsonSchema(Source(n), Definition));

    /// <summary>A definition as it stands in the document.</summary>
    internal static JsonElement Source(string name) => Document.GetProperty("definitions").GetProperty(name);

    /// <summary>The schema of an event that servers write; null for all others.</summary>
    internal static JsonSchema? Event(string type) => Events.GetValueOrDefault(type);

    /// <summary>The operation that a request to a path means, in any version of its prefix; null when the specification knows none.</summary>
    public static Operation? Find(string method, string path)
    {
        var segments = Segments(path);
        return Match(method, segments)
            ?? (segments[^1].Length == 0 ? Match(method, segments[..^1]) : Match(method, [.. segments, ""]));
    }

    private static Operation? Match(string method, string[] path)
    {
        Operation? found = null;
        var literals = -1;
        foreach (var (template, operation) in ByLength[path.Length])
        {
            if (operation.Method != method || Literals(template, path) is not { } n || n <= literals) continue;
            (found, literals) = (operation, n);
        }
        return found;
    }

    private static int? Literals(string[] template, string[] path)
    {
        var same = 0;
        for (var i = 0; i < template.Length; i++)
        {
            // An empty part is a state key only; elsewhere it is the list of what might stand there.
            if (template[i] is ['{', ..] && (path[i].Length > 0 || template[i] == "{stateKey}")) continue;
            if (!string.Equals(template[i], path[i], StringComparison.Ordinal)) return null;
            same++;
        }
        return same;
    }

    private static string[] Segments(string path)
    {
        var segments = path.TrimStart('/').Split('/');
        return segments switch
        {
            ["_matrix", "client", "api", "v1", .. var rest] => ["client", .. rest],
            ["_matrix", "client", "r0" or "v1" or "v3" or "unstable", .. var rest] => ["client", .. rest],
            ["_matrix", "media", "r0" or "v1" or "v3", .. var rest] => ["media", .. rest],
            _ => segments,
        };
    }

    private static JsonElement Read()
    {
        using var stream = typeof(MatrixSpecification).Assembly.GetManifestResourceStream("specification.json")!;
        using var document = JsonDocument.Parse(stream);
        return document.RootElement.Clone();
    }
}

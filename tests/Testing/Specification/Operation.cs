using System.Text.Json;

namespace Matrix.Testing.Specification;

/// <summary>One operation of the specification, its schemas made when first used.</summary>
public sealed class Operation
{
    private readonly Dictionary<string, Lazy<JsonSchema>> answers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> types = new(StringComparer.Ordinal);
    private readonly Lazy<JsonSchema>? body;

    internal Operation(JsonElement source, Func<string, JsonSchema> resolve)
    {
        Method = source.GetProperty("method").GetString()!;
        Path = source.GetProperty("path").GetString()!;
        Auth = source.GetProperty("auth").GetString()!;
        Query = [.. source.GetProperty("query").EnumerateArray().Select(q => new QueryParameter(
            q.GetProperty("name").GetString()!, q.GetProperty("required").GetBoolean(), q.GetProperty("schema").TryGetProperty("type", out var t) ? t.ToString() : ""))];
        foreach (var answer in source.GetProperty("responses").EnumerateObject())
        {
            types[answer.Name] = answer.Value.TryGetProperty("type", out var type) ? type.GetString()! : "";
            if (answer.Value.TryGetProperty("schema", out var schema)) answers[answer.Name] = new(() => new JsonSchema(schema, resolve));
        }
        if (!source.TryGetProperty("body", out var content)) return;
        BodySchema = content;
        body = new(() => new JsonSchema(content, resolve));
    }

    public string Method { get; }
    /// <summary>With the prefix that the specification gives it, parameters in braces.</summary>
    public string Path { get; }
    /// <summary>user, optional, none, federation or appservice.</summary>
    public string Auth { get; }
    public IReadOnlyList<QueryParameter> Query { get; }
    public JsonElement? BodySchema { get; }

    public sealed record QueryParameter(string Name, bool Required, string Type);

    /// <summary>Content type that the specification gives for a status, empty where it gives none; null when it does not name the status.</summary>
    internal string? TypeOf(int status) => types.GetValueOrDefault(Text(status));
    internal JsonSchema? SchemaOf(int status) => answers.GetValueOrDefault(Text(status))?.Value;
    internal JsonSchema? Body => body?.Value;

    private static string Text(int status) => status.ToString(System.Globalization.CultureInfo.InvariantCulture);
    public override string ToString() => $"{Method} {Path}";
}

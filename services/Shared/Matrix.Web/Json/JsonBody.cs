using System.Globalization;
using System.Text.Json;
using Matrix.Primitives;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Matrix.Web.Json;

/// <summary>
/// The body of a request. Not JSON is M_NOT_JSON, wrong shape M_BAD_JSON, too large 413 M_TOO_LARGE. Parsed when first looked at.
/// </summary>
public sealed class JsonBody
{
    /// <summary>Largest body that is read unless the route says otherwise, bytes.</summary>
    public const int DefaultLimit = 1024 * 1024;
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = CanonicalJson.MaxDepth };
    private JsonElement? root;

    public JsonBody(ReadOnlyMemory<byte> bytes) => Bytes = bytes;

    public ReadOnlyMemory<byte> Bytes { get; }
    public bool IsEmpty => Bytes.IsEmpty;

    public JsonElement Root => root ??= Parse();

    private JsonElement Parse()
    {
        try
        {
            using var document = JsonDocument.Parse(Bytes, Options);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            throw MatrixError.NotJson().AsException();
        }
    }

    /// <summary>The body as an object; anything else is M_BAD_JSON.</summary>
    public JsonElement AsObject() =>
        Root.ValueKind == JsonValueKind.Object ? Root : throw MatrixError.BadJson("Content must be a JSON object.").AsException();

    /// <summary>As <see cref="AsObject"/>; an empty body counts as an empty object, where clients rely on it.</summary>
    public JsonElement AsObjectOrEmpty() => IsEmpty ? EmptyObject : AsObject();

    public static readonly JsonElement EmptyObject = JsonDocument.Parse("{}").RootElement.Clone();

    public static async ValueTask<JsonBody> BindAsync(HttpContext context)
    {
        var limit = context.GetEndpoint()?.Metadata.GetMetadata<BodyLimit>()?.Bytes ?? DefaultLimit;
        var request = context.Request;
        if (request.ContentLength > limit) throw MatrixError.TooLarge().AsException();
        if (request.ContentLength is { } length)
        {
            if (length == 0) return new JsonBody(default);
            var exact = new byte[length];
            await request.Body.ReadExactlyAsync(exact, context.RequestAborted);
            return Text(exact);
        }
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false }) return new JsonBody(default);
        using var buffer = new MemoryStream();
        var chunk = new byte[16 * 1024];
        int n;
        while ((n = await request.Body.ReadAsync(chunk, context.RequestAborted)) > 0)
        {
            if (buffer.Length + n > limit) throw MatrixError.TooLarge().AsException();
            buffer.Write(chunk, 0, n);
        }
        return Text(buffer.ToArray());
    }

    /// <summary>The parser looks at strings when they are read only: bytes that are no UTF-8, and escapes that are no character, are found here, once.</summary>
    private static JsonBody Text(byte[] bytes) =>
        !System.Text.Unicode.Utf8.IsValid(bytes) ? throw MatrixError.NotJson().AsException()
        : HasHalfPair(bytes) ? throw MatrixError.BadJson("A string holds half of a surrogate pair.").AsException() : new JsonBody(bytes);

    private static bool HasHalfPair(ReadOnlySpan<byte> json)
    {
        var awaitsLow = false;
        while (json.IndexOf((byte)'\\') is >= 0 and var at && at + 1 < json.Length)
        {
            if (awaitsLow && at > 0) return true;
            var isUnit = ushort.TryParse(json[(at + 1)..] is [(byte)'u', _, _, _, _, ..] unit ? unit[1..5] : default, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code);
            if (awaitsLow != (isUnit && char.IsLowSurrogate((char)code))) return true;
            awaitsLow = isUnit && char.IsHighSurrogate((char)code);
            json = json[(at + (isUnit ? 6 : 2))..];
        }
        return awaitsLow;
    }
}

/// <summary>Largest body of a route, in bytes.</summary>
public sealed record BodyLimit(long Bytes);

/// <summary>Reading members with the spec's error codes.</summary>
public static class JsonElementExtensions
{
    /// <summary>Null when absent (or JSON null); M_BAD_JSON when it is no string, or none that can be stored.</summary>
    public static string? StringOrNull(this JsonElement o, string name)
    {
        if (!o.TryGetProperty(name, out var v) || v.ValueKind == JsonValueKind.Null) return null;
        if (v.ValueKind != JsonValueKind.String) throw MatrixError.BadJson($"'{name}' must be a string").AsException();
        return Storable(v, name);
    }

    /// <summary>The text of a JSON string; M_BAD_JSON for one that is no text, or that PostgreSQL cannot keep.</summary>
    public static string Storable(JsonElement text, string name)
    {
        string value;
        try
        {
            value = text.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw MatrixError.BadJson($"'{name}' holds half of a surrogate pair").AsException();
        }
        return value.Contains('\0') ? throw MatrixError.BadJson($"'{name}' holds a NUL").AsException() : value;
    }

    public static string RequiredString(this JsonElement o, string name) =>
        o.StringOrNull(name) ?? throw MatrixError.MissingParam($"Missing '{name}' parameter").AsException();

    public static bool? BoolOrNull(this JsonElement o, string name)
    {
        if (!o.TryGetProperty(name, out var v) || v.ValueKind == JsonValueKind.Null) return null;
        return v.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw MatrixError.BadJson($"'{name}' must be a boolean").AsException(),
        };
    }

    public static long? IntOrNull(this JsonElement o, string name)
    {
        if (!o.TryGetProperty(name, out var v) || v.ValueKind == JsonValueKind.Null) return null;
        return v.ValueKind == JsonValueKind.Number && v.TryGetInt64(out var n) ? n : throw MatrixError.BadJson($"'{name}' must be an integer").AsException();
    }

    public static JsonElement? ObjectOrNull(this JsonElement o, string name)
    {
        if (!o.TryGetProperty(name, out var v) || v.ValueKind == JsonValueKind.Null) return null;
        return v.ValueKind == JsonValueKind.Object ? v : throw MatrixError.BadJson($"'{name}' must be an object").AsException();
    }

    public static JsonElement? ArrayOrNull(this JsonElement o, string name)
    {
        if (!o.TryGetProperty(name, out var v) || v.ValueKind == JsonValueKind.Null) return null;
        return v.ValueKind == JsonValueKind.Array ? v : throw MatrixError.BadJson($"'{name}' must be an array").AsException();
    }
}

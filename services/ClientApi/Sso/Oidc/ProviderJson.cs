using System.Text.Json;

namespace Matrix.ClientApi.Sso.Oidc;

/// <summary>Reading what providers send: anything unexpected is absent.</summary>
internal static class ProviderJson
{
    public static JsonDocument Object(string text)
    {
        try
        {
            var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 32 });
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
        }
        catch (JsonException e)
        {
            throw new ProviderException("the answer of the provider is not JSON", e);
        }
        throw new ProviderException("the answer of the provider is no JSON object");
    }

    /// <summary>Null: absent or no text.</summary>
    public static string? Text(JsonElement o, string name) =>
        o.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public static IReadOnlyList<string> Texts(JsonElement o, string name) =>
        o.ValueKind == JsonValueKind.Object && o.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array
            ? [.. list.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.String).Select(e => e.GetString()!)] : [];
}

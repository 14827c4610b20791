using System.Text.Json;

namespace Matrix.Push.Evaluation;

/// <summary>The parts of a member event that matter here; null where they are missing or no strings.</summary>
internal readonly record struct MemberContent(string? Membership, string? DisplayName)
{
    public static MemberContent Read(ReadOnlyMemory<byte> pduJson)
    {
        using var document = JsonDocument.Parse(pduJson);
        return document.RootElement.TryGetProperty("content", out var content) && content.ValueKind == JsonValueKind.Object
            ? new(Text(content, "membership"), Text(content, "displayname"))
            : default;
    }

    private static string? Text(JsonElement o, string name) => o.TryGetProperty(name, out var v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null;
}

using System.Text;
using System.Text.Json;

namespace Matrix.ServiceTests.Specification;

/// <summary>A JSON text with something else in one place after the other.</summary>
internal static class MutatedJson
{
    /// <summary>Every value once replaced by each of these.</summary>
    public static IEnumerable<string> Of(string json, IReadOnlyList<string> replacements)
    {
        using var document = JsonDocument.Parse(json);
        var places = Count(document.RootElement);
        for (var place = 0; place < places; place++)
            foreach (var replacement in replacements)
            {
                var (text, left) = (new StringBuilder(), place);
                Write(document.RootElement, text, ref left, replacement);
                yield return text.ToString();
            }
    }

    private static int Count(JsonElement value) => 1 + value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().Sum(m => Count(m.Value)),
        JsonValueKind.Array => value.EnumerateArray().Sum(Count),
        _ => 0,
    };

    private static void Write(JsonElement value, StringBuilder text, ref int left, string replacement)
    {
        if (left-- == 0)
        {
            text.Append(replacement);
            return;
        }
        var first = true;
        if (value.ValueKind == JsonValueKind.Object)
        {
            text.Append('{');
            foreach (var member in value.EnumerateObject())
            {
                text.Append(first ? "" : ",").Append('"').Append(JsonEncodedText.Encode(member.Name)).Append("\":");
                Write(member.Value, text, ref left, replacement);
                first = false;
            }
            text.Append('}');
        }
        else if (value.ValueKind == JsonValueKind.Array)
        {
            text.Append('[');
            foreach (var item in value.EnumerateArray())
            {
                text.Append(first ? "" : ",");
                Write(item, text, ref left, replacement);
                first = false;
            }
            text.Append(']');
        }
        else text.Append(value.GetRawText());
    }
}

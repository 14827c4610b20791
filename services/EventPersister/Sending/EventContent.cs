using System.Buffers;
using System.Text.Json;
using Matrix.Web.Json;

namespace Matrix.EventPersister.Sending;

/// <summary>Writes content objects. They are canonicalised when the event is built.</summary>
internal static class EventContent
{
    public static readonly byte[] Empty = "{}"u8.ToArray();

    public static byte[] Write(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        using (var writer = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] Write(string name, string value) => Write(w => w.WriteString(name, value));

    /// <summary>Copies the members of an object but those named.</summary>
    public static void CopyMembers(Utf8JsonWriter writer, JsonElement from, params ReadOnlySpan<string> except)
    {
        foreach (var member in from.EnumerateObject())
        {
            var skip = false;
            foreach (var name in except) skip |= member.NameEquals(name);
            if (!skip) member.WriteTo(writer);
        }
    }
}

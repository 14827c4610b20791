using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Matrix.Storage.Streams;

/// <summary>
/// Payloads of stream rows: small JSON objects. Unknown members are skipped and missing ones have defaults, so that two releases can follow
/// each other's streams.
/// </summary>
internal static class RowJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>A member's value under the reader; false when the row does not know that name (it is skipped then).</summary>
    public delegate bool ReadMember<T>(ref Utf8JsonReader reader, ref T state);

    public static byte[] Write<T>(T row, Action<Utf8JsonWriter, T> members)
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            writer.WriteStartObject();
            members(writer, row);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Calls <paramref name="member"/> with the reader on each property name of the object.</summary>
    public static void Read<T>(ReadOnlySpan<byte> json, ref T state, ReadMember<T> member)
    {
        var reader = new Utf8JsonReader(json);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new InvalidDataException("A stream row is no JSON object.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            if (!member(ref reader, ref state)) reader.Skip();
    }

    public static bool Text(ref Utf8JsonReader reader, ref string? value)
    {
        reader.Read();
        value = reader.GetString();
        return true;
    }

    public static bool Number(ref Utf8JsonReader reader, ref long? value)
    {
        reader.Read();
        value = reader.TokenType == JsonTokenType.Null ? null : reader.GetInt64();
        return true;
    }

    public static bool Flag(ref Utf8JsonReader reader, ref bool value)
    {
        reader.Read();
        value = reader.TokenType == JsonTokenType.True;
        return true;
    }
}

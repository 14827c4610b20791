using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Matrix.Primitives;
using Microsoft.AspNetCore.Http;

namespace Matrix.Web.Json;

/// <summary>Answers. Always with Content-Length; never through reflection.</summary>
public static class MatrixResults
{
    public static readonly JsonWriterOptions WriterOptions =
        new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    private const string NotKept = "no-cache, no-store, must-revalidate";
    private static readonly byte[] EmptyObject = "{}"u8.ToArray();

    /// <summary>200 with <c>{}</c>.</summary>
    public static IResult Empty { get; } = new RawResult(200, EmptyObject);

    /// <summary>JSON bytes as they are.</summary>
    public static IResult Raw(ReadOnlyMemory<byte> json, int status = 200) => new RawResult(status, json);

    /// <summary>JSON bytes in a buffer that is given back once they are sent.</summary>
    public static IResult Raw(PooledBuffer json) => new PooledResult(json);

    public static IResult Json<T>(T value, JsonTypeInfo<T> type, int status = 200) => new RawResult(status, JsonSerializer.SerializeToUtf8Bytes(value, type));

    /// <summary>An object written by hand; the braces are written around what <paramref name="members"/> writes.</summary>
    public static IResult Object(Action<Utf8JsonWriter> members, int status = 200)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        return new RawResult(status, buffer.WrittenMemory);
    }

    public static IResult Error(MatrixError error) => new RawResult(error.Status, Body(error)) { RetryAfterSeconds = error.RetryAfterSeconds };

    public static byte[] Body(MatrixError error)
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            writer.WriteStartObject();
            writer.WriteString("errcode", error.Code);
            writer.WriteString("error", error.Message);
            foreach (var (name, raw) in error.Extras)
            {
                writer.WritePropertyName(name);
                writer.WriteRawValue(raw, skipInputValidation: true);
            }
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }

    private sealed class PooledResult(PooledBuffer body) : IResult
    {
        public async Task ExecuteAsync(HttpContext context)
        {
            using (body) await new RawResult(200, body.WrittenMemory).ExecuteAsync(context);
        }
    }

    private sealed class RawResult(int status, ReadOnlyMemory<byte> body) : IResult
    {
        public int? RetryAfterSeconds { get; init; }

        public async Task ExecuteAsync(HttpContext context)
        {
            var response = context.Response;
            response.StatusCode = status;
            response.ContentType = "application/json";
            response.ContentLength = body.Length;
            // Synapse: no answer of the API is kept by anybody in between, unless whoever gives it says otherwise.
            if (response.Headers.CacheControl.Count == 0) response.Headers.CacheControl = NotKept;
            if (RetryAfterSeconds is { } seconds) response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
            await response.Body.WriteAsync(body, context.RequestAborted);
        }
    }
}

using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Matrix.Replication;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Rooms.Ingest;

/// <summary>Asks the persister that the room's hash names.</summary>
public sealed class RemotePduIngest(IInternalRpc rpc) : IPduIngest
{
    public const string Path = "/_internal/rpc/rooms/ingest";

    public async Task<IngestResult> IngestAsync(PduIngest pdus, CancellationToken ct)
    {
        var answer = await rpc.PostAsync("eventpersister", pdus.RoomId, Path, PduIngestBody.Write(pdus), ct);
        return JsonSerializer.Deserialize(answer, IngestJson.Default.IngestResult) ?? throw new InvalidDataException("A persister answered nothing.");
    }
}

/// <summary>The request's bytes: a JSON object whose events travel as base64, because what they are is not known before they are read.</summary>
public static class PduIngestBody
{
    public static ReadOnlyMemory<byte> Write(PduIngest pdus)
    {
        var buffer = new ArrayBufferWriter<byte>(4_096);
        using (var w = new Utf8JsonWriter(buffer))
        {
            w.WriteStartObject();
            w.WriteString("room_id", pdus.RoomId);
            w.WriteString("origin", pdus.Origin);
            w.WriteString("mode", pdus.Mode.ToString());
            w.WriteBoolean("signatures_checked", pdus.SignaturesChecked);
            if (pdus.RoomVersion is not null) w.WriteString("room_version", pdus.RoomVersion);
            if (pdus.StateBefore is not null)
            {
                w.WriteStartArray("state_before");
                foreach (var id in pdus.StateBefore) w.WriteStringValue(id);
                w.WriteEndArray();
            }
            w.WriteStartArray("pdus");
            foreach (var pdu in pdus.Pdus) w.WriteBase64StringValue(pdu.Span);
            w.WriteEndArray();
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }

    /// <summary>Throws <see cref="JsonException"/> for what is no such request.</summary>
    public static PduIngest Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            string? Text(string name) => root.TryGetProperty(name, out var v) ? v.GetString() : null;
            return new PduIngest(
                Text("room_id") ?? throw new JsonException("no room_id"), Text("origin") ?? throw new JsonException("no origin"),
                Enum.Parse<IngestMode>(Text("mode") ?? ""),
                [.. root.GetProperty("pdus").EnumerateArray().Select(p => (ReadOnlyMemory<byte>)p.GetBytesFromBase64())],
                root.GetProperty("signatures_checked").GetBoolean(), Text("room_version"),
                root.TryGetProperty("state_before", out var before) ? [.. before.EnumerateArray().Select(i => i.GetString()!)] : null);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            throw new JsonException("Not a request to take events in.", e);
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IngestResult))]
public sealed partial class IngestJson : JsonSerializerContext;

public static class PduIngestServices
{
    /// <summary>For services other than the persister. In the monolith the persister's own takes its place, whatever the order.</summary>
    public static IServiceCollection AddRemotePduIngest(this IServiceCollection services)
    {
        services.TryAddSingleton<IPduIngest, RemotePduIngest>();
        return services;
    }
}

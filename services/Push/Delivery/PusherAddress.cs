using System.Buffers;
using System.Text.Json;
using Matrix.Storage.Push;

namespace Matrix.Push.Delivery;

/// <summary>Where a pusher's notifications go, and how they look.</summary>
internal sealed record PusherAddress(
    string UserId, string AppId, string Pushkey, Uri Gateway, bool EventIdOnly, ReadOnlyMemory<byte> DataWithoutUrl, long CreatedTsMs)
{
    /// <summary>Null when the data name no HTTP address: such a pusher can only have come from elsewhere, and is left alone.</summary>
    public static PusherAddress? Read(PusherState pusher)
    {
        JsonElement data;
        try
        {
            var reader = new Utf8JsonReader(pusher.Data);
            data = JsonElement.ParseValue(ref reader);
        }
        catch (JsonException)
        {
            return null;
        }
        if (data.ValueKind != JsonValueKind.Object || !data.TryGetProperty("url", out var url) || url.ValueKind != JsonValueKind.String) return null;
        if (!Uri.TryCreate(url.GetString(), UriKind.Absolute, out var gateway) || gateway.Scheme is not ("http" or "https")) return null;
        var eventIdOnly = data.TryGetProperty("format", out var format) && format.ValueKind == JsonValueKind.String && format.ValueEquals("event_id_only");
        return new(pusher.UserId, pusher.AppId, pusher.Pushkey, gateway, eventIdOnly, Without(data, "url"), pusher.CreatedTsMs);
    }

    private static ReadOnlyMemory<byte> Without(JsonElement data, string name)
    {
        var buffer = new ArrayBufferWriter<byte>(64);
        using (var w = new Utf8JsonWriter(buffer))
        {
            w.WriteStartObject();
            foreach (var member in data.EnumerateObject()) if (member.Name != name) member.WriteTo(w);
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }
}

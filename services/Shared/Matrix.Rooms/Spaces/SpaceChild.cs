using System.Buffers;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;

namespace Matrix.Rooms.Spaces;

/// <summary>A room in a space. Spec: client-server-api/#mspacechild</summary>
/// <param name="Via">Servers to reach it by; never none.</param>
/// <param name="Json">The event as hierarchies show it.</param>
public sealed record SpaceChild(string RoomId, IReadOnlyList<string> Via, bool IsSuggested, string? Order, long OriginServerTs, ReadOnlyMemory<byte> Json)
{
    private const int MaxVia = 10;

    /// <summary>Null: a child that has been taken away, or none.</summary>
    public static SpaceChild? Of(StoredEvent e)
    {
        var pdu = e.Pdu;
        var buffer = new ArrayBufferWriter<byte>(pdu.Content.Length + 256);
        using (var w = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            w.WriteStartObject();
            w.WriteString("type"u8, pdu.Type);
            w.WriteString("state_key"u8, pdu.StateKey);
            w.WritePropertyName("content"u8);
            w.WriteRawValue(pdu.Content.Span, skipInputValidation: true);
            w.WriteString("sender"u8, pdu.Sender);
            w.WriteNumber("origin_server_ts"u8, pdu.OriginServerTs);
            w.WriteEndObject();
        }
        return Of(pdu.StateKey, pdu.Content.Span, pdu.OriginServerTs, buffer.WrittenMemory);
    }

    /// <summary>As another server tells it, canonical JSON; null: it is none.</summary>
    public static SpaceChild? Read(ReadOnlySpan<byte> json)
    {
        var o = new CanonicalObject(json);
        if (o.GetString("type"u8) != "m.space.child" || o.GetString("sender"u8) is null || !o.TryGet("content"u8, out var content) || !CanonicalValue.IsObject(content)) return null;
        if (!o.TryGet("origin_server_ts"u8, out var ts) || !CanonicalValue.TryInteger(ts, out var time)) return null;
        return Of(o.GetString("state_key"u8), content, time, json.ToArray());
    }

    private static SpaceChild? Of(string? roomId, ReadOnlySpan<byte> content, long ts, ReadOnlyMemory<byte> json)
    {
        if (roomId is not ['!', ..]) return null;
        var o = new CanonicalObject(content);
        var via = new List<string>();
        if (o.TryGet("via"u8, out var servers))
            foreach (var element in new CanonicalArray(servers)) if (via.Count < MaxVia && CanonicalValue.String(element) is { } server) via.Add(server);
        if (via.Count == 0) return null;
        var order = o.GetString("order"u8) is { Length: <= 50 } text && text.All(c => c is >= '\x20' and <= '\x7E') ? text : null;
        return new SpaceChild(roomId, via, o.TryGet("suggested"u8, out var suggested) && suggested.SequenceEqual("true"u8), order, ts, json);
    }

    /// <summary>Spec: client-server-api/#ordering-of-children-within-a-space</summary>
    public static IReadOnlyList<SpaceChild> InOrder(IEnumerable<SpaceChild?> children, bool suggestedOnly) =>
    [
        .. children.OfType<SpaceChild>().Where(c => !suggestedOnly || c.IsSuggested)
            .OrderBy(c => c.Order is null).ThenBy(c => c.Order, StringComparer.Ordinal).ThenBy(c => c.OriginServerTs).ThenBy(c => c.RoomId, StringComparer.Ordinal),
    ];
}

/// <summary>A room of a space tree with its valid children, in their order.</summary>
public sealed record SpaceRoom(RoomSummary Summary, IReadOnlyList<SpaceChild> Children)
{
    /// <summary>The whole object.</summary>
    public void Write(Utf8JsonWriter w)
    {
        w.WriteStartObject();
        Summary.Write(w);
        w.WriteStartArray("children_state"u8);
        foreach (var child in Children) w.WriteRawValue(child.Json.Span, skipInputValidation: true);
        w.WriteEndArray();
        w.WriteEndObject();
    }
}

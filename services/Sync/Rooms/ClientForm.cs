using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Sync.Answers;

namespace Matrix.Sync.Rooms;

/// <summary>The client form of an event without room_id. Spec: openapi/client-server/definitions/client_event_without_room_id.yaml</summary>
internal static class ClientForm
{
    /// <summary>Everything but unsigned; where the content stands in the output.</summary>
    public static (int Start, int Length) WriteHead(PooledBuffer output, Pdu pdu)
    {
        output.Raw("{\"content\":"u8);
        var start = output.Length;
        WriteContent(output, pdu);
        var length = output.Length - start;
        output.Raw(",\"event_id\":"u8).Text(pdu.EventId).Raw(",\"origin_server_ts\":"u8).Number(pdu.OriginServerTs);
        // Rooms before version 11 have it there, newer ones for older clients. Spec: rooms/v11#moving-the-redacts-property
        if (pdu.Redacts is not null) output.Raw(",\"redacts\":"u8).Text(pdu.Redacts);
        output.Raw(",\"sender\":"u8).Text(pdu.Sender);
        if (pdu.StateKey is not null) output.Raw(",\"state_key\":"u8).Text(pdu.StateKey);
        output.Raw(",\"type\":"u8).Text(pdu.Type);
        return (start, length);
    }

    private static void WriteContent(PooledBuffer output, Pdu pdu)
    {
        var content = pdu.Content.Span;
        if (pdu.Redacts is null || pdu.Version.RedactsInContent || content.Length < 2) { output.Raw(content); return; }
        // The other way round: older rooms show it in the content as well. Spec: rooms/v11#moving-the-redacts-property
        if (new CanonicalObject(content).TryGet("redacts"u8, out _)) { output.Raw(content); return; }
        output.Raw("{\"redacts\":"u8).Text(pdu.Redacts);
        if (content.Length > 2) output.Raw(","u8);
        output.Raw(content[1..]);
    }

    /// <summary>Opens unsigned and writes what all readers see.</summary>
    public static void WriteUnsigned(PooledBuffer output, StoredEvent e, StoredEvent? redaction)
    {
        output.Raw(",\"unsigned\":{"u8);
        if (e.ReplacesEventId is not null)
            WriteReplaced(output, e.PrevContent.Span, e.PrevSender, e.ReplacesEventId);
        if (e.RedactedBy is null && redaction is null) return;
        output.Raw("\"redacted_by\":"u8).Text(redaction?.Pdu.EventId ?? e.RedactedBy!).Raw(","u8);
        if (redaction is null) return;
        output.Raw("\"redacted_because\":"u8);
        WriteHead(output, redaction.Pdu);
        output.Raw(",\"unsigned\":{}},"u8);
    }

    private static void WriteReplaced(PooledBuffer output, ReadOnlySpan<byte> content, string? sender, string eventId)
    {
        if (!content.IsEmpty) output.Raw("\"prev_content\":"u8).Raw(content).Raw(","u8);
        if (sender is not null) output.Raw("\"prev_sender\":"u8).Text(sender).Raw(","u8);
        output.Raw("\"replaces_state\":"u8).Text(eventId).Raw(","u8);
    }

    /// <summary>A message event whose content is gone; <paramref name="keepsRedacts"/>: a redaction of version 11 keeps what it redacts.</summary>
    public static (int Start, int Length) WriteRedacted(PooledBuffer output, CachedEvent e, CachedEvent redaction, bool keepsRedacts)
    {
        output.Raw("{\"content\":"u8);
        var start = output.Length;
        if (keepsRedacts && e.Redacts is not null) output.Raw("{\"redacts\":"u8).Text(e.Redacts).Raw("}"u8);
        else output.Raw("{}"u8);
        var length = output.Length - start;
        output.Raw(",\"event_id\":"u8).Text(e.EventId).Raw(",\"origin_server_ts\":"u8).Number(e.OriginServerTs).Raw(",\"sender\":"u8).Text(e.Sender)
            .Raw(",\"type\":"u8).Text(e.Type).Raw(",\"unsigned\":{\"redacted_by\":"u8).Text(redaction.EventId).Raw(",\"redacted_because\":"u8)
            .Raw(redaction.Body).Raw("\"age\":0}},"u8);
        return (start, length);
    }
}

using System.Buffers;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>
/// What a client gets with an event besides its own members. Members that are raw JSON are spliced as they are; empty means absent.
/// Spec: openapi/client-server/definitions/client_event.yaml, client-server-api/#room-events
/// </summary>
public readonly record struct ClientEventOptions
{
    /// <summary><c>/sync</c> names the room once, outside its events.</summary>
    public bool OmitRoomId { get; init; }

    /// <summary>Milliseconds since the event was sent, by this server's clock.</summary>
    public long? AgeMs { get; init; }

    /// <summary>For the device that sent it.</summary>
    public string? TransactionId { get; init; }

    /// <summary>Raw JSON: the content that this state event replaced.</summary>
    public ReadOnlyMemory<byte> PrevContent { get; init; }

    /// <summary>The state event that this one replaced.</summary>
    public string? ReplacesState { get; init; }

    /// <summary>The sender of that event. Synapse: part of unsigned beside prev_content.</summary>
    public string? PrevSender { get; init; }

    /// <summary>Raw JSON: the redaction event in client form.</summary>
    public ReadOnlyMemory<byte> RedactedBecause { get; init; }

    /// <summary>The membership of the receiving user at the event.</summary>
    public string? Membership { get; init; }

    /// <summary>Raw JSON: the aggregations of <c>m.relations</c>.</summary>
    public ReadOnlyMemory<byte> Relations { get; init; }

    /// <summary>Further members of unsigned, as raw text without braces: <c>"name":value,"name":value</c>.</summary>
    public ReadOnlyMemory<byte> MoreUnsigned { get; init; }

    internal bool HasUnsigned =>
        AgeMs is not null || TransactionId is not null || ReplacesState is not null || PrevSender is not null || Membership is not null
        || !PrevContent.IsEmpty || !RedactedBecause.IsEmpty || !Relations.IsEmpty || !MoreUnsigned.IsEmpty;
}

/// <summary>
/// The forms in which clients see events, written by splicing the stored bytes. (The federation form is <see cref="Pdu.Json"/> itself.)
/// </summary>
public static class ClientEvent
{
    /// <summary>
    /// The full form. A redaction has <c>redacts</c> at the top and in the content, whatever its version keeps.
    /// Spec: rooms/v11#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property
    /// </summary>
    public static void Write(IBufferWriter<byte> output, Pdu pdu, in ClientEventOptions options)
    {
        output.Write("{\"content\":"u8);
        WriteContent(output, pdu);
        Member(output, ",\"event_id\":"u8, pdu.EventId);
        output.Write(",\"origin_server_ts\":"u8);
        CanonicalJson.WriteNumber(output, pdu.OriginServerTs);
        if (pdu.Redacts is not null) Member(output, ",\"redacts\":"u8, pdu.Redacts);
        if (!options.OmitRoomId) Member(output, ",\"room_id\":"u8, pdu.RoomId);
        Member(output, ",\"sender\":"u8, pdu.Sender);
        if (pdu.StateKey is not null) Member(output, ",\"state_key\":"u8, pdu.StateKey);
        Member(output, ",\"type\":"u8, pdu.Type);
        if (options.HasUnsigned) WriteUnsigned(output, options);
        output.Write("}"u8);
    }

    /// <summary>The stripped form of invites and knocks: content, sender, state_key, type. Spec: client-server-api/#stripped-state</summary>
    public static void WriteStripped(IBufferWriter<byte> output, Pdu pdu)
    {
        output.Write("{\"content\":"u8);
        output.Write(pdu.Content.Span);
        Member(output, ",\"sender\":"u8, pdu.Sender);
        Member(output, ",\"state_key\":"u8, pdu.StateKey ?? "");
        Member(output, ",\"type\":"u8, pdu.Type);
        output.Write("}"u8);
    }

    private static void Member(IBufferWriter<byte> output, ReadOnlySpan<byte> name, string value)
    {
        output.Write(name);
        CanonicalJson.WriteString(output, value);
    }

    private static void WriteContent(IBufferWriter<byte> output, Pdu pdu)
    {
        if (pdu.Redacts is null || pdu.Version.RedactsInContent)
        {
            output.Write(pdu.Content.Span);
            return;
        }
        var json = new MemberWriter(output);
        foreach (var member in new CanonicalObject(pdu.Content.Span))
        {
            if (!member.Name.SequenceEqual("redacts"u8)) json.Text(member.Text);
        }
        json.String("redacts"u8, pdu.Redacts);
        json.End();
    }

    private static void WriteUnsigned(IBufferWriter<byte> output, in ClientEventOptions options)
    {
        output.Write(",\"unsigned\":"u8);
        var json = new MemberWriter(output);
        if (options.AgeMs is { } age) json.Number("age"u8, age);
        if (!options.Relations.IsEmpty) json.Raw("m.relations"u8, options.Relations.Span);
        if (options.Membership is not null) json.String("membership"u8, options.Membership);
        if (!options.PrevContent.IsEmpty) json.Raw("prev_content"u8, options.PrevContent.Span);
        if (options.PrevSender is not null) json.String("prev_sender"u8, options.PrevSender);
        if (!options.RedactedBecause.IsEmpty) json.Raw("redacted_because"u8, options.RedactedBecause.Span);
        if (options.ReplacesState is not null) json.String("replaces_state"u8, options.ReplacesState);
        if (options.TransactionId is not null) json.String("transaction_id"u8, options.TransactionId);
        if (!options.MoreUnsigned.IsEmpty) json.Text(options.MoreUnsigned.Span);
        json.End();
    }
}

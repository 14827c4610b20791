using System.Buffers;
using System.Text.Json;
using Matrix.Events;

namespace Matrix.Push.Delivery;

/// <summary>What is to be told about an event; everything that does not depend on the pusher.</summary>
/// <param name="Position">Of the event in stream events.</param>
/// <param name="ReceivedMs">When this server persisted it.</param>
internal sealed record Notification(
    long Position, Pdu Event, PushOutcome Outcome, string? RoomName, string? RoomAlias, string? SenderName, bool UserIsTarget, long ReceivedMs)
{
    /// <summary>Synapse: low unless the event is encrypted, or makes a noise.</summary>
    public bool IsUrgent => Event.Type == EventTypes.Encrypted || Outcome.Highlight || Outcome.Sound is not null;
}

/// <summary>Requests to push gateways. Spec: push-gateway-api/#post_matrixpushv1notify</summary>
internal static class NotificationJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>About an event.</summary>
    /// <param name="unread">Rooms with something unread.</param>
    public static ReadOnlyMemory<byte> Write(PusherAddress pusher, Notification notification, int unread) => Write(w =>
    {
        var e = notification.Event;
        w.WriteString("event_id", e.EventId);
        w.WriteString("room_id", e.RoomId);
        w.WriteString("prio", notification.IsUrgent ? "high" : "low");
        if (!pusher.EventIdOnly) WriteDetails(w, notification);
        // A count of zero is left out. Spec: the same.
        WriteCounts(w, unread, evenZero: false);
        WriteDevice(w, pusher, notification.Outcome);
    });

    /// <summary>Counts alone, when something was read elsewhere. Synapse: zero is said here, or the badge would stay.</summary>
    public static ReadOnlyMemory<byte> WriteCounts(PusherAddress pusher, int unread) => Write(w =>
    {
        WriteCounts(w, unread, evenZero: true);
        WriteDevice(w, pusher, null);
    });

    private static void WriteDetails(Utf8JsonWriter w, Notification notification)
    {
        var e = notification.Event;
        w.WriteString("id", e.EventId);      // Synapse: an old name of event_id that gateways still read
        w.WriteString("type", e.Type);
        w.WriteString("sender", e.Sender);
        if (notification.SenderName is { } sender) w.WriteString("sender_display_name", sender);
        // Synapse: a room without a name goes by its alias.
        if ((notification.RoomName ?? notification.RoomAlias) is { } room) w.WriteString("room_name", room);
        if (notification.RoomAlias is { } alias) w.WriteString("room_alias", alias);
        if (e.Type == EventTypes.Member)
        {
            w.WriteBoolean("user_is_target", notification.UserIsTarget);
            if (e.Membership is { } membership) w.WriteString("membership", membership);
        }
        w.WritePropertyName("content");
        w.WriteRawValue(e.Content.Span, skipInputValidation: true);
    }

    private static void WriteCounts(Utf8JsonWriter w, int unread, bool evenZero)
    {
        w.WriteStartObject("counts");
        if (unread > 0 || evenZero) w.WriteNumber("unread", unread);
        w.WriteEndObject();
    }

    private static void WriteDevice(Utf8JsonWriter w, PusherAddress pusher, PushOutcome? outcome)
    {
        w.WriteStartArray("devices");
        w.WriteStartObject();
        w.WriteString("app_id", pusher.AppId);
        w.WriteString("pushkey", pusher.Pushkey);
        w.WriteNumber("pushkey_ts", pusher.CreatedTsMs / 1000);
        w.WritePropertyName("data");
        w.WriteRawValue(pusher.DataWithoutUrl.Span, skipInputValidation: true);
        if (outcome is { } o)
        {
            w.WriteStartObject("tweaks");
            if (o.Highlight) w.WriteBoolean("highlight", true);
            if (o.Sound is not null) w.WriteString("sound", o.Sound);
            w.WriteEndObject();
        }
        w.WriteEndObject();
        w.WriteEndArray();
    }

    private static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var w = new Utf8JsonWriter(buffer, Options))
        {
            w.WriteStartObject();
            w.WriteStartObject("notification");
            members(w);
            w.WriteEndObject();
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }
}

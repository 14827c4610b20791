using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Storage.Search;

/// <summary>What of an event is searched. Spec: client-server-api/#room_events (server side search)</summary>
public static class SearchableText
{
    /// <summary>Null: nothing of such an event.</summary>
    public static (SearchKind Kind, string Text)? Of(Pdu e)
    {
        var (kind, text) = e switch
        {
            { Type: EventTypes.Message, IsState: false } => (SearchKind.Body, e.ContentString("body"u8)),
            { Type: EventTypes.Name, StateKey: "" } => (SearchKind.Name, e.ContentString("name"u8)),
            { Type: EventTypes.Topic, StateKey: "" } => (SearchKind.Topic, Topic(e)),
            _ => (default, null),
        };
        return string.IsNullOrWhiteSpace(text) ? null : (kind, text);
    }

    /// <summary>The topic, and its plain representation where it says something else.</summary>
    private static string? Topic(Pdu e)
    {
        var topic = e.ContentString("topic"u8);
        var rich = e.ContentValue("m.topic"u8);
        if (!CanonicalValue.IsObject(rich) || !new CanonicalObject(rich).TryGet("m.text"u8, out var texts) || !CanonicalValue.IsArray(texts)) return topic;
        foreach (var element in new CanonicalArray(texts))
        {
            if (!CanonicalValue.IsObject(element)) continue;
            var o = new CanonicalObject(element);
            if (o.GetString("mimetype"u8) is null or "text/plain" && o.GetString("body"u8) is { } body && body != topic) return $"{topic} {body}";
        }
        return topic;
    }
}

using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Rooms;

/// <summary>m.room.history_visibility, least open first. Spec: client-server-api/#room-history-visibility</summary>
public enum HistoryVisibility { Joined, Invited, Shared, WorldReadable }

public static class HistoryVisibilities
{
    public const string EventType = "m.room.history_visibility";

    /// <summary>Visibility that the content of such an event sets. Absent or not understood: shared, as the specification says.</summary>
    public static HistoryVisibility Read(ReadOnlySpan<byte> content) => StateContent.String(content, "history_visibility"u8) switch
    {
        "joined" => HistoryVisibility.Joined,
        "invited" => HistoryVisibility.Invited,
        "world_readable" => HistoryVisibility.WorldReadable,
        _ => HistoryVisibility.Shared,
    };
}

/// <summary>Reading single members of an event's content without building a document.</summary>
public static class StateContent
{
    /// <summary>A string member of the object; null when it is absent or no string.</summary>
    public static string? String(ReadOnlySpan<byte> content, ReadOnlySpan<byte> name)
    {
        if (content.IsEmpty) return null;
        var reader = new Utf8JsonReader(content);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals(name);
            reader.Read();
            if (found) return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            reader.Skip();
        }
        return null;
    }

    /// <summary><c>membership</c> of a member event's content; null when it has none.</summary>
    public static string? Membership(ReadOnlySpan<byte> content) => String(content, "membership"u8);

    /// <summary>The room that this one replaces, by its create event; null: none.</summary>
    public static string? Predecessor(Pdu create) =>
        create.ContentValue("predecessor"u8) is var value && CanonicalValue.IsObject(value) ? new CanonicalObject(value).GetString("room_id"u8) : null;
}

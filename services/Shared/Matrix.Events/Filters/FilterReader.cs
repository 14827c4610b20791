using System.Collections.Immutable;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>Reads filters from canonical JSON; remembers the first fault.</summary>
internal ref struct FilterReader
{
    public string? Fault { get; private set; }

    public Filter Filter(ReadOnlySpan<byte> json)
    {
        var filter = new Filter();
        foreach (var member in new CanonicalObject(json))
        {
            var value = member.Value;
            if (IsNull(value)) continue;
            if (member.Name.SequenceEqual("event_fields"u8)) filter = filter with { EventFields = new EventFields([.. Strings("event_fields", value, '\0')]) };
            else if (member.Name.SequenceEqual("event_format"u8)) filter = filter with { EventFormat = Format(value) };
            else if (member.Name.SequenceEqual("presence"u8)) filter = filter with { Presence = EventFilter("presence", value, ofRooms: false) };
            else if (member.Name.SequenceEqual("account_data"u8)) filter = filter with { AccountData = EventFilter("account_data", value, ofRooms: false) };
            else if (member.Name.SequenceEqual("room"u8)) filter = filter with { Room = RoomFilter(value) };
        }
        return filter;
    }

    private RoomFilter RoomFilter(ReadOnlySpan<byte> json)
    {
        var filter = new RoomFilter();
        if (!CanonicalValue.IsObject(json)) return Wrong("room", "an object", filter);
        foreach (var member in new CanonicalObject(json))
        {
            var value = member.Value;
            if (IsNull(value)) continue;
            if (member.Name.SequenceEqual("rooms"u8)) filter = filter with { Rooms = Strings("room.rooms", value, '!') };
            else if (member.Name.SequenceEqual("not_rooms"u8)) filter = filter with { NotRooms = Strings("room.not_rooms", value, '!') };
            else if (member.Name.SequenceEqual("include_leave"u8)) filter = filter with { IncludeLeave = Bool("room.include_leave", value) };
            else if (member.Name.SequenceEqual("state"u8)) filter = filter with { State = EventFilter("room.state", value, ofRooms: true) };
            else if (member.Name.SequenceEqual("timeline"u8)) filter = filter with { Timeline = EventFilter("room.timeline", value, ofRooms: true) };
            else if (member.Name.SequenceEqual("ephemeral"u8)) filter = filter with { Ephemeral = EventFilter("room.ephemeral", value, ofRooms: true) };
            else if (member.Name.SequenceEqual("account_data"u8)) filter = filter with { AccountData = EventFilter("room.account_data", value, ofRooms: true) };
        }
        return filter;
    }

    public EventFilter EventFilter(string path, ReadOnlySpan<byte> json, bool ofRooms)
    {
        var filter = new EventFilter();
        if (!CanonicalValue.IsObject(json)) return Wrong(path, "an object", filter);
        foreach (var member in new CanonicalObject(json))
        {
            var value = member.Value;
            if (IsNull(value)) continue;
            var name = member.Name;
            if (name.SequenceEqual("limit"u8)) filter = filter with { Limit = Limit(path, value) };
            else if (name.SequenceEqual("types"u8)) filter = filter with { Types = Strings(path + ".types", value, '\0') };
            else if (name.SequenceEqual("not_types"u8)) filter = filter with { NotTypes = Strings(path + ".not_types", value, '\0') };
            else if (name.SequenceEqual("senders"u8)) filter = filter with { Senders = Strings(path + ".senders", value, '@') };
            else if (name.SequenceEqual("not_senders"u8)) filter = filter with { NotSenders = Strings(path + ".not_senders", value, '@') };
            else if (!ofRooms) continue;
            else if (name.SequenceEqual("rooms"u8)) filter = filter with { Rooms = Strings(path + ".rooms", value, '!') };
            else if (name.SequenceEqual("not_rooms"u8)) filter = filter with { NotRooms = Strings(path + ".not_rooms", value, '!') };
            else if (name.SequenceEqual("contains_url"u8)) filter = filter with { ContainsUrl = Bool(path + ".contains_url", value) };
            else if (name.SequenceEqual("lazy_load_members"u8)) filter = filter with { LazyLoadMembers = Bool(path + ".lazy_load_members", value) };
            else if (name.SequenceEqual("include_redundant_members"u8))
                filter = filter with { IncludeRedundantMembers = Bool(path + ".include_redundant_members", value) };
            else if (name.SequenceEqual("unread_thread_notifications"u8))
                filter = filter with { UnreadThreadNotifications = Bool(path + ".unread_thread_notifications", value) };
            else if (name.SequenceEqual("org.matrix.labels"u8)) filter = filter with { Labels = Strings(path + ".org.matrix.labels", value, '\0') };
            else if (name.SequenceEqual("org.matrix.not_labels"u8)) filter = filter with { NotLabels = Strings(path + ".org.matrix.not_labels", value, '\0') };
            else if (name.SequenceEqual("related_by_rel_types"u8))
                filter = filter with { RelatedByRelTypes = Strings(path + ".related_by_rel_types", value, '\0') };
            else if (name.SequenceEqual("related_by_senders"u8))
                filter = filter with { RelatedBySenders = Strings(path + ".related_by_senders", value, '@') };
            else if (name.SequenceEqual("org.matrix.msc3874.rel_types"u8)) filter = filter with { RelTypes = Strings(path + ".rel_types", value, '\0') };
            else if (name.SequenceEqual("org.matrix.msc3874.not_rel_types"u8)) filter = filter with { NotRelTypes = Strings(path + ".not_rel_types", value, '\0') };
        }
        return filter;
    }

    private static bool IsNull(ReadOnlySpan<byte> value) => value.SequenceEqual("null"u8);

    private T Wrong<T>(string path, string what, T instead)
    {
        Fault ??= $"The filter's {path} is not {what}.";
        return instead;
    }

    private EventFormat Format(ReadOnlySpan<byte> value)
    {
        if (value.SequenceEqual("\"client\""u8)) return EventFormat.Client;
        if (value.SequenceEqual("\"federation\""u8)) return EventFormat.Federation;
        return Wrong("event_format", "client or federation", EventFormat.Client);
    }

    private bool Bool(string path, ReadOnlySpan<byte> value)
    {
        if (value.SequenceEqual("true"u8)) return true;
        return !value.SequenceEqual("false"u8) && Wrong(path, "a boolean", false);
    }

    // Synapse: zero is taken, although the spec wants more than that.
    private int Limit(string path, ReadOnlySpan<byte> value) =>
        CanonicalValue.TryInteger(value, out var limit) && limit >= 0 ? (int)Math.Min(limit, int.MaxValue) : Wrong(path + ".limit", "a number of events", 0);

    /// <param name="sigil">What every entry starts with; NUL for any text.</param>
    private ImmutableArray<string> Strings(string path, ReadOnlySpan<byte> value, char sigil)
    {
        if (!CanonicalValue.IsArray(value)) return Wrong(path, "an array", ImmutableArray<string>.Empty);
        var strings = ImmutableArray.CreateBuilder<string>();
        foreach (var element in new CanonicalArray(value))
        {
            var text = CanonicalValue.String(element);
            if (text is null) return Wrong(path, "an array of strings", ImmutableArray<string>.Empty);
            if (sigil != '\0' && (text.Length == 0 || text[0] != sigil))
                return Wrong(path, sigil == '@' ? "an array of user ids" : "an array of room ids", ImmutableArray<string>.Empty);
            strings.Add(text);
        }
        return strings.DrainToImmutable();
    }
}

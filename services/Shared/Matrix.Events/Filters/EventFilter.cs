using System.Collections.Immutable;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>
/// A filter over events. Absent lists are null and include everything; exclusion wins. The members that only filters of rooms have are at
/// their defaults elsewhere. Spec: openapi/client-server/definitions/event_filter.yaml, room_event_filter.yaml
/// </summary>
public sealed record EventFilter
{
    /// <summary>Lets everything through.</summary>
    public static EventFilter All { get; } = new();

    /// <summary>Largest number of events wanted; the server's own maximum applies as well.</summary>
    public int? Limit { get; init; }
    public ImmutableArray<string>? Types { get; init; }
    public ImmutableArray<string> NotTypes { get; init; } = [];
    public ImmutableArray<string>? Senders { get; init; }
    public ImmutableArray<string> NotSenders { get; init; } = [];
    public ImmutableArray<string>? Rooms { get; init; }
    public ImmutableArray<string> NotRooms { get; init; } = [];
    public bool? ContainsUrl { get; init; }
    public bool LazyLoadMembers { get; init; }
    public bool IncludeRedundantMembers { get; init; }
    public bool UnreadThreadNotifications { get; init; }

    /// <summary>Labels in the content of which an event needs one. MSC2326, <c>org.matrix.labels</c></summary>
    public ImmutableArray<string>? Labels { get; init; }
    public ImmutableArray<string> NotLabels { get; init; } = [];

    /// <summary>Relation types: only events that some event of such a type relates to. The caller knows relations; matching ignores it.</summary>
    public ImmutableArray<string>? RelatedByRelTypes { get; init; }

    /// <summary>Senders of those relating events.</summary>
    public ImmutableArray<string>? RelatedBySenders { get; init; }

    /// <summary>Types of the relation that the event itself has. Synapse: org.matrix.msc3874.rel_types.</summary>
    public ImmutableArray<string>? RelTypes { get; init; }
    public ImmutableArray<string> NotRelTypes { get; init; } = [];

    /// <summary>Whether the filter asks for relations that others have to an event, which <see cref="Matches(Pdu)"/> cannot tell.</summary>
    public bool AsksForRelated => RelatedByRelTypes is not null || RelatedBySenders is not null;

    /// <summary>Whether the filter asks anything of an event (limits and flags apart).</summary>
    public bool MatchesEverything =>
        Types is null && Senders is null && Rooms is null && ContainsUrl is null && NotTypes.IsEmpty && NotSenders.IsEmpty && NotRooms.IsEmpty
        && Labels is null && NotLabels.IsEmpty && RelTypes is null && NotRelTypes.IsEmpty;

    /// <summary>Whether a room event passes.</summary>
    public bool Matches(Pdu e) =>
        MatchesEverything || (MatchesType(e.Type) && MatchesSender(e.Sender) && MatchesRoom(e.RoomId) && MatchesUrl(e) && MatchesLabels(e)
            && MatchesRelation(e));

    /// <summary>
    /// Whether something that is no PDU passes: presence, account data, ephemeral events. Synapse: what has no sender is of none of a list of senders.
    /// </summary>
    public bool Matches(string type, string? sender = null, string? roomId = null) =>
        MatchesType(type) && (sender is null ? Senders is null : MatchesSender(sender)) && (roomId is null || MatchesRoom(roomId));

    public bool MatchesType(string type) => !AnyGlob(NotTypes, type) && (Types is not { } types || AnyGlob(types, type));

    public bool MatchesSender(string sender) => !NotSenders.Contains(sender) && (Senders is not { } senders || senders.Contains(sender));

    public bool MatchesRoom(string roomId) => !NotRooms.Contains(roomId) && (Rooms is not { } rooms || rooms.Contains(roomId));

    private bool MatchesUrl(Pdu e) => ContainsUrl is not { } wanted || CanonicalValue.IsString(e.ContentValue("url"u8)) == wanted;

    private bool MatchesLabels(Pdu e)
    {
        if (Labels is null && NotLabels.IsEmpty) return true;
        var wanted = Labels is null;
        var value = e.ContentValue("org.matrix.labels"u8);
        if (!CanonicalValue.IsArray(value)) return wanted;
        foreach (var element in new CanonicalArray(value))
        {
            if (CanonicalValue.String(element) is not { } label) continue;
            if (NotLabels.Contains(label)) return false;
            wanted |= Labels is { } labels && labels.Contains(label);
        }
        return wanted;
    }

    private bool MatchesRelation(Pdu e)
    {
        if (RelTypes is null && NotRelTypes.IsEmpty) return true;
        var type = EventRelation.Read(e)?.RelType;
        return type is null ? RelTypes is null : !NotRelTypes.Contains(type) && (RelTypes is not { } types || types.Contains(type));
    }

    private static bool AnyGlob(ImmutableArray<string> patterns, string text)
    {
        foreach (var pattern in patterns)
        {
            if (pattern == text || (pattern.Contains('*') && Glob.Matches(pattern, text, questionMark: false))) return true;
        }
        return false;
    }

    // Records compare arrays by identity; filters are compared where they are stored, as JSON.
    public bool Equals(EventFilter? other) => ReferenceEquals(this, other);
    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}

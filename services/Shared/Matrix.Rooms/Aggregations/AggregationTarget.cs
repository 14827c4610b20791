using Matrix.Events;

namespace Matrix.Rooms.Aggregations;

/// <summary>An event that is shown, and may have children to tell about.</summary>
/// <param name="Relation">Relation type of the event itself; null: it relates to nothing.</param>
/// <param name="IsRedacted">Nothing replaces an event that was redacted.</param>
/// <param name="UpTo">Position in stream events after which children do not count: those that the reader is not told yet, or never.</param>
public readonly record struct AggregationTarget(
    long RoomNid, string EventId, string Type, string Sender, string? Relation, bool IsRedacted, long UpTo)
{
    /// <summary>Null: a state event, which gets no aggregations. <paramref name="e"/> may be any view with headers and content.</summary>
    public static AggregationTarget? Of(Pdu e, long roomNid, bool isRedacted, long upTo = long.MaxValue) =>
        e.IsState ? null : new AggregationTarget(roomNid, e.EventId, e.Type, e.Sender, EventRelation.Read(e)?.RelType, isRedacted, upTo);
}

/// <summary>For whom aggregations are made.</summary>
/// <param name="DeviceId">Its own transaction ids are shown; null: none are.</param>
/// <param name="Ignored">Users whose events do not count.</param>
/// <param name="OmitRoomId">As in <c>/sync</c>, where the room is named outside.</param>
public sealed record AggregationReader(Primitives.UserId User, string? DeviceId, IReadOnlySet<string> Ignored, bool OmitRoomId = false);

using System.Text;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Relations;
using Matrix.Storage.Rooms;

namespace Matrix.ClientApi.Rooms;

/// <summary>A page of a room's timeline that is wanted.</summary>
/// <param name="From">Position to start at: backwards it is the first one looked at, forwards the last one not looked at. Null: the newest, or the oldest.</param>
/// <param name="To">Position to stop at, by the same rule seen from the other side; null: no end.</param>
internal sealed record PageRequest(bool Backwards, long? From, long? To, int Limit, EventFilter Filter)
{
    private const int DefaultLimit = 10;
    private const int MaxLimit = 1000;

    public static int LimitOf(int? limit) =>
        limit is null ? DefaultLimit : limit < 0 ? throw MatrixError.InvalidParam("'limit' must not be negative").AsException() : Math.Min(limit.Value, MaxLimit);

    public static EventFilter FilterOf(string? json)
    {
        if (string.IsNullOrEmpty(json)) return EventFilter.All;
        var (filter, fault) = Events.Filter.ParseEventFilter(Encoding.UTF8.GetBytes(json));
        return filter ?? throw MatrixError.InvalidParam(fault ?? "Invalid 'filter'").AsException();
    }
}

/// <param name="Edge">Position of the token to go on from in the direction of the page.</param>
/// <param name="HasMore">False: the timeline ends here, as far as the user may see.</param>
internal sealed record RoomPage(List<StoredEvent> Events, long Edge, bool HasMore);

/// <summary>
/// Reads pages of a room's timeline, in stream order, as a user may see them. What visibility, filter or his list of ignored users hides is passed
/// over, so a page is short only at the end or after a long stretch of hidden events; its edge always counts what was passed over. Spec: client-server-api/#get_matrixclientv3roomsroomidmessages
/// </summary>
internal sealed class RoomPager(EventReader events, EventVisibility visibility, StateReader states, RelationReader relations)
{
    /// <summary>Events looked at for one page, at most.</summary>
    private const int MaxScanned = 4000;

    public async Task<RoomPage> ReadAsync(RoomView view, UserId user, PageRequest request, CancellationToken ct)
    {
        var (low, high) = request.Backwards
            ? (request.To ?? long.MinValue, Math.Min(request.From ?? long.MaxValue, view.UpTo))
            : (request.From ?? long.MinValue, Math.Min(request.To ?? long.MaxValue, view.UpTo));
        var ignored = view.Ignored;
        bool Wanted(StoredEvent e) => request.Filter.Matches(e.Pdu) && (e.Pdu.IsState || !ignored.Contains(e.Pdu.Sender));
        var found = new List<StoredEvent>(request.Limit);
        var edge = request.From ?? (request.Backwards ? high : low);
        for (var scanned = 0; found.Count < request.Limit && scanned < MaxScanned && low < high; )
        {
            var take = request.Filter is { MatchesEverything: true, AsksForRelated: false } ? request.Limit - found.Count : Math.Min(500, Math.Max(50, 2 * request.Limit));
            var page = await events.TimelineAsync(view.RoomNid, low, high, request.Backwards, take, ct);
            scanned += page.Count;
            var visible = await visibility.FilterAsync(user, await RelatedAsync(page.FindAll(Wanted), view.RoomNid, request.Filter, ct), [view.Standing], ct);
            var room = request.Limit - found.Count;
            if (visible.Count > room)
            {
                found.AddRange(visible.GetRange(0, room));
                return new RoomPage(found, EdgeAt(found[^1], request), true);
            }
            found.AddRange(visible);
            if (page.Count > 0)
            {
                edge = EdgeAt(page[^1], request);
                if (request.Backwards) high = edge; else low = edge;
            }
            if (page.Count == take) continue;
            // The end of the range. Beyond an end that the client set there may be more.
            return request.To is { } to && (request.Backwards || to < view.UpTo) ? new RoomPage(found, to, true) : new RoomPage(found, edge, false);
        }
        return new RoomPage(found, edge, low < high);
    }

    /// <summary>Those that others relate to as the filter wants. Spec: client-server-api/#filtering (related_by_rel_types, related_by_senders)</summary>
    private async Task<List<StoredEvent>> RelatedAsync(List<StoredEvent> page, long roomNid, EventFilter filter, CancellationToken ct)
    {
        if (page.Count == 0 || !filter.AsksForRelated) return page;
        var related = await relations.RelatedAsync(
            roomNid, [.. page.Select(e => e.Pdu.EventId)], filter.RelatedByRelTypes?.ToArray(), filter.RelatedBySenders?.ToArray(), ct);
        return page.FindAll(e => related.Contains(e.Pdu.EventId));
    }

    private static long EdgeAt(StoredEvent e, PageRequest request) => request.Backwards ? e.Position!.Value - 1 : e.Position!.Value;

    /// <summary>
    /// State after <paramref name="at"/> for those who show these events: all of it, or with lazy loading what concerns their senders.
    /// </summary>
    public async Task<List<StoredEvent>> StateForAsync(StoredEvent at, IReadOnlyList<StoredEvent> shown, EventFilter filter, CancellationToken ct)
    {
        if (at.SnapshotNid is not { } snapshot) return [];
        if (!filter.LazyLoadMembers) return await states.EventsAsync(snapshot, ct);
        var senders = shown.Select(e => e.Pdu.Sender).ToHashSet(StringComparer.Ordinal);
        var state = await states.EventsAsync(snapshot, ct);
        return state.FindAll(e => e.Pdu.Type != EventTypes.Member || senders.Contains(e.Pdu.StateKey!));
    }

    /// <summary>Member events of the senders at the newest shown event, for lazy loading clients.</summary>
    public async Task<List<StoredEvent>> MembersForAsync(IReadOnlyList<StoredEvent> shown, CancellationToken ct)
    {
        var snapshot = shown.MaxBy(e => e.Position)?.SnapshotNid;
        if (snapshot is null) return [];
        var keys = shown.Select(e => e.Pdu.Sender).Distinct(StringComparer.Ordinal).Select(s => new StateKey(EventTypes.Member, s)).ToList();
        return await states.EventsAsync(snapshot.Value, keys, ct);
    }
}

using System.Collections.Immutable;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;
using Matrix.Storage.Rooms;

namespace Matrix.FederationInbound.Rooms;

/// <summary>What another server may ask about a room, and which events it may see. Spec: server-server-api/#server-acls, client-server-api/#room-history-visibility</summary>
internal sealed class RoomAccess(RoomReader rooms, StateReader states, ServerMembers members, EventReader events, ErasedUsers erased)
{
    private static readonly StateKey Acl = new(EventTypes.ServerAcl, ""), Visibility = new(HistoryVisibilities.EventType, "");

    /// <summary>Whether the room's ACL lets that server take part.</summary>
    public async Task<bool> IsAllowedAsync(long roomNid, string server, CancellationToken ct) =>
        await rooms.CurrentStateAsync(roomNid, Acl, ct) is not { } acl || ServerAcl.Read(acl.Pdu.Content.Span).Allows(server);

    /// <summary>The room, if the server takes part in it; otherwise what it hears.</summary>
    public async Task<RoomRecord> RequireAsync(string roomId, string server, CancellationToken ct)
    {
        var room = await rooms.FindAsync(roomId, ct) ?? throw MatrixError.NotFound("Unknown room").AsException();
        if (!await IsAllowedAsync(room.RoomNid, server, ct)) throw MatrixError.Forbidden("Server is banned from room").AsException();
        if (!await members.IsInRoomAsync(room.RoomNid, server, ct)) throw MatrixError.Forbidden("Host not in room.").AsException();
        return room;
    }

    /// <summary>
    /// The events as that server may have them: those that it may not see come redacted, so that it has the graph, and so do those of erased users from a time
    /// when none of its users was joined. Outliers and rejected ones are left out. One room.
    /// </summary>
    public async Task<List<Pdu>> ForServerAsync(long roomNid, string server, IReadOnlyList<StoredEvent> events, CancellationToken ct)
    {
        const EventFlags hidden = EventFlags.Outlier | EventFlags.Rejected;
        var shown = events.Where(e => (e.Flags & hidden) == 0).ToList();
        var users = await members.OfServerAsync(roomNid, server, ct);
        var snapshots = shown.Select(e => e.SnapshotNid).OfType<long>().Distinct().ToList();
        var state = await states.EventsOfManyAsync(snapshots, [Visibility, .. users.Select(u => new StateKey(EventTypes.Member, u))], ct);
        var gone = await erased.AllAsync(ct);
        return [.. shown.Select(e => MaySee(e.SnapshotNid is { } nid ? state[nid] : [], IsErased(e.Pdu, gone)) ? e.Pdu : e.Pdu.Redacted())];
    }

    /// <summary>Events of one room's state, or of what it rests on: whole, but for those of erased users.</summary>
    public async Task<IReadOnlyList<Pdu>> StateForServerAsync(long roomNid, string server, List<Pdu> state, CancellationToken ct)
    {
        var gone = await erased.AllAsync(ct);
        var ids = gone.IsEmpty ? [] : state.Where(e => IsErased(e, gone)).Select(e => e.EventId).ToList();
        if (ids.Count == 0) return state;
        var seen = (await ForServerAsync(roomNid, server, await events.ByIdsAsync(ids, ct), ct)).ToDictionary(e => e.EventId, StringComparer.Ordinal);
        return state.ConvertAll(e => seen.GetValueOrDefault(e.EventId, e));
    }

    private static bool IsErased(Pdu e, ImmutableHashSet<string> gone) => gone.Contains(e.Sender) && ErasedUsers.Takes(e.Type, e.StateKey, e.Sender);

    /// <param name="membersOnly">For those only who were joined.</param>
    private static bool MaySee(List<StoredEvent> state, bool membersOnly)
    {
        if (membersOnly) return state.Exists(s => s.Pdu.Membership == Memberships.Join);
        var visibility = HistoryVisibility.Shared;
        foreach (var s in state) if (s.Pdu.Type == HistoryVisibilities.EventType) visibility = HistoryVisibilities.Read(s.Pdu.Content.Span);
        if (visibility is HistoryVisibility.Shared or HistoryVisibility.WorldReadable) return true;
        foreach (var s in state)
        {
            if (s.Pdu.Membership == Memberships.Join || (s.Pdu.Membership == Memberships.Invite && visibility == HistoryVisibility.Invited)) return true;
        }
        return false;
    }
}

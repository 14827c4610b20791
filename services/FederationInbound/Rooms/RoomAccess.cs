using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;
using Matrix.Storage.Rooms;

namespace Matrix.FederationInbound.Rooms;

/// <summary>What another server may ask about a room, and which events it may see. Spec: server-server-api/#server-acls, client-server-api/#room-history-visibility</summary>
internal sealed class RoomAccess(RoomReader rooms, StateReader states, ServerMembers members)
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
    /// The events as that server may have them: those that it may not see come redacted, so that it has the graph. Outliers and rejected ones are left
    /// out. One room.
    /// </summary>
    public async Task<List<Pdu>> ForServerAsync(long roomNid, string server, IReadOnlyList<StoredEvent> events, CancellationToken ct)
    {
        const EventFlags hidden = EventFlags.Outlier | EventFlags.Rejected;
        var shown = events.Where(e => (e.Flags & hidden) == 0).ToList();
        var users = await members.OfServerAsync(roomNid, server, ct);
        var snapshots = shown.Select(e => e.SnapshotNid).OfType<long>().Distinct().ToList();
        var state = await states.EventsOfManyAsync(snapshots, [Visibility, .. users.Select(u => new StateKey(EventTypes.Member, u))], ct);
        return [.. shown.Select(e => MaySee(e.SnapshotNid is { } nid ? state[nid] : []) ? e.Pdu : e.Pdu.Redacted())];
    }

    private static bool MaySee(List<StoredEvent> state)
    {
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

using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.ClientApi.Rooms;

/// <summary>What a user may look at: a room as it is now, or as it was when he left.</summary>
/// <param name="Departure">The event that ended his stay; null: he sees the present (joined, or the room is world readable).</param>
/// <param name="IsJoined">False while he only peeks or has left.</param>
internal sealed record RoomView(long RoomNid, string RoomId, bool IsJoined, StoredEvent? Departure)
{
    /// <summary>Last position of stream events that belongs to the view.</summary>
    public long UpTo => Departure is null ? long.MaxValue : Departure.Position ?? long.MinValue;
}

/// <summary>Who may read a room, decided by the database alone. Spec: client-server-api/#getting-events-for-a-room</summary>
internal sealed class RoomAccess(RoomReader rooms, EventReader events)
{
    /// <summary>Own memberships looked at for the last stay: leave, ban, invite, knock and their repetitions after it.</summary>
    private const int MaxSteps = 8;

    /// <summary>M_FORBIDDEN when the user may not read the room; a room that does not exist is not told apart.</summary>
    public async Task<RoomView> RequireAsync(string roomId, UserId user, CancellationToken ct) =>
        await FindAsync(roomId, user, ct) ?? throw Forbidden(roomId, user);

    /// <summary>As <see cref="RequireAsync"/>, for joined members only.</summary>
    public async Task<RoomView> RequireJoinedAsync(string roomId, UserId user, CancellationToken ct) =>
        await rooms.MembershipAsync(roomId, user.Value, ct) is { Membership: Memberships.Join } member
            ? new RoomView(member.RoomNid, roomId, true, null) : throw Forbidden(roomId, user);

    /// <summary>Null: he may not read it.</summary>
    public async Task<RoomView?> FindAsync(string roomId, UserId user, CancellationToken ct)
    {
        var member = await rooms.MembershipAsync(roomId, user.Value, ct);
        if (member is { Membership: Memberships.Join }) return new RoomView(member.RoomNid, roomId, true, null);
        var nid = member?.RoomNid ?? (await rooms.FindAsync(roomId, ct))?.RoomNid;
        if (nid is null) return null;
        if (await IsWorldReadableAsync(nid.Value, ct)) return new RoomView(nid.Value, roomId, false, null);
        if (member is null or { Forgotten: true }) return null;
        return await DepartureAsync(member, ct) is { } departure ? new RoomView(nid.Value, roomId, false, departure) : null;
    }

    private async Task<bool> IsWorldReadableAsync(long roomNid, CancellationToken ct) =>
        await rooms.CurrentStateAsync(roomNid, new StateKey(EventTypes.HistoryVisibility, ""), ct) is { } e
        && HistoryVisibilities.Read(e.Pdu.Content.Span) == HistoryVisibility.WorldReadable;

    /// <summary>The event that ended his last stay. An invitation that was turned down ended none.</summary>
    private async Task<StoredEvent?> DepartureAsync(MembershipRecord member, CancellationToken ct)
    {
        var e = (await events.ByNidsAsync([member.EventNid], ct)).FirstOrDefault();
        for (var i = 0; i < MaxSteps && e is not null; i++)
        {
            if (StateContent.Membership(e.PrevContent.Span) == Memberships.Join) return e;
            if (e.ReplacesEventId is null) return null;
            e = (await events.ByIdsAsync([e.ReplacesEventId], ct)).FirstOrDefault();
        }
        return null;
    }

    private static MatrixException Forbidden(string roomId, UserId user) =>
        MatrixError.Forbidden($"User {user} not in room {roomId}, and room previews are disabled").AsException();
}

using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.ClientApi.Rooms;

/// <summary>What a user may look at: a room as it is now, or as it was when he left.</summary>
/// <param name="Departure">The event that ended his stay, or the time that the room was open to all; null: he sees the present (joined, or the room is world readable).</param>
/// <param name="IsJoined">False while he only peeks or has left.</param>
/// <param name="Ignored">Users whom he ignores.</param>
internal sealed record RoomView(long RoomNid, string RoomId, bool IsJoined, StoredEvent? Departure, RoomStanding Standing, IReadOnlySet<string> Ignored)
{
    /// <summary>Last position of stream events that belongs to the view.</summary>
    public long UpTo => Departure is null ? long.MaxValue : Departure.Position ?? long.MinValue;
}

/// <summary>Who may read a room, decided by the database alone, in one round trip for members. Spec: client-server-api/#getting-events-for-a-room</summary>
internal sealed class RoomAccess(RoomReader rooms, EventReader events)
{
    /// <summary>Own memberships looked at for the last stay: leave, ban, invite, knock and their repetitions after it.</summary>
    private const int MaxSteps = 8;
    /// <summary>Changes of the visibility since an event that are looked at.</summary>
    private const int MaxVisibilities = 50;

    /// <summary>M_FORBIDDEN when the user may not read the room; a room that does not exist is not told apart.</summary>
    public async Task<RoomView> RequireAsync(string roomId, UserId user, CancellationToken ct) =>
        await FindAsync(roomId, user, ct) ?? throw Forbidden(roomId, user);

    /// <summary>As <see cref="RequireAsync"/>, for joined members only.</summary>
    public async Task<RoomView> RequireJoinedAsync(string roomId, UserId user, CancellationToken ct) =>
        await FindAsync(roomId, user, ct) is { IsJoined: true } view ? view : throw Forbidden(roomId, user);

    /// <summary>Null: he may not read it.</summary>
    public async Task<RoomView?> FindAsync(string roomId, UserId user, CancellationToken ct)
    {
        var (known, ignored) = await rooms.StandingsAsync([roomId], user.Value, ct);
        return known.TryGetValue(roomId, out var standing) ? await ViewAsync(roomId, standing, ignored, ct) : null;
    }

    private async Task<RoomView?> ViewAsync(string roomId, RoomStanding standing, IReadOnlySet<string> ignored, CancellationToken ct)
    {
        var view = new RoomView(standing.RoomNid, roomId, standing.Member is { Membership: Memberships.Join }, null, standing, ignored);
        if (view.IsJoined || IsWorldReadable(standing)) return view;
        if (standing.Member is null or { Forgotten: true }) return null;
        return await DepartureAsync(standing.Member, ct) is { } departure ? view with { Departure = departure } : null;
    }

    /// <summary>
    /// As <see cref="FindAsync"/>, for one event: what happened while a room was world readable may be seen by anyone, also after it was closed, as of the end
    /// of that time. Spec: client-server-api/#room-history-visibility
    /// </summary>
    public async Task<RoomView?> FindAsync(StoredEvent e, UserId user, CancellationToken ct)
    {
        var (known, ignored) = await rooms.StandingsAsync([e.Pdu.RoomId], user.Value, ct);
        if (!known.TryGetValue(e.Pdu.RoomId, out var standing)) return null;
        if (await ViewAsync(e.Pdu.RoomId, standing, ignored, ct) is { } view) return view;
        // Spec: client-server-api/#leaving-rooms: who has forgotten a room gets nothing of its history.
        if (standing.Member is { Forgotten: true }) return null;
        return await ClosingAsync(e, standing, ct) is { } closing ? new RoomView(standing.RoomNid, e.Pdu.RoomId, false, closing, standing, ignored) : null;
    }

    /// <summary>The event that ended the world readable time of an event; null: there was no such time.</summary>
    private async Task<StoredEvent?> ClosingAsync(StoredEvent e, RoomStanding standing, CancellationToken ct)
    {
        if (e.Position is not { } position) return null;
        StoredEvent? next = null;
        var visibility = standing.Visibility;
        for (var i = 0; visibility?.Position >= position; i++)
        {
            if (i == MaxVisibilities) return null;
            next = visibility;
            if (visibility.ReplacesEventId is not { } before || visibility.Position == position) break;
            visibility = (await events.ByIdsAsync([before], ct)).FirstOrDefault();
        }
        return next is not null && HistoryVisibilities.Read(next.PrevContent.Span) == HistoryVisibility.WorldReadable ? next : null;
    }

    private static bool IsWorldReadable(RoomStanding standing) =>
        standing.Visibility is { } e && HistoryVisibilities.Read(e.Pdu.Content.Span) == HistoryVisibility.WorldReadable;

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

using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.ClientApi.Rooms;

/// <summary>What a user may look at: a room as it is now, or as it was when he left.</summary>
/// <param name="Departure">The event that ended his stay; null: he sees the present (joined, or the room is world readable).</param>
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
        if (!known.TryGetValue(roomId, out var standing)) return null;
        var view = new RoomView(standing.RoomNid, roomId, standing.Member is { Membership: Memberships.Join }, null, standing, ignored);
        if (view.IsJoined || IsWorldReadable(standing)) return view;
        if (standing.Member is null or { Forgotten: true }) return null;
        return await DepartureAsync(standing.Member, ct) is { } departure ? view with { Departure = departure } : null;
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

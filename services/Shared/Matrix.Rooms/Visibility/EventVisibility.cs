using System.Collections.Immutable;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.Rooms;

/// <summary>
/// How does this user see this event? By the history visibility and his membership as they were at the event: whole, not at all, or, when whoever sent it was
/// erased and he was not joined then, redacted. The one place that decides it for <c>/messages</c>, <c>/context</c>, <c>/event</c> and <c>/sync</c>; whether
/// he may ask about the room at all is the caller's question. Spec: client-server-api/#room-history-visibility
/// </summary>
/// <param name="retention">Null: messages do not age.</param>
/// <param name="erased">Null: nobody was erased.</param>
public sealed class EventVisibility(
    StateReader states, RoomReader rooms, EventReader reader, MessageRetention? retention = null, TimeProvider? clock = null, ErasedUsers? erased = null)
{
    private static readonly ImmutableHashSet<string> Nobody = [];
    private const EventFlags Hidden = EventFlags.Outlier | EventFlags.Rejected | EventFlags.SoftFailed;

    /// <summary>
    /// Those of <paramref name="events"/> that the user may see, as he may see them, in the order given; rooms may be mixed. One round trip for what current
    /// state answers; historical state is read, in three queries altogether, only for events older than his membership or than the room's visibility, and for
    /// those of erased users.
    /// </summary>
    public async Task<List<StoredEvent>> FilterAsync(UserId user, IReadOnlyList<StoredEvent> events, CancellationToken ct)
    {
        if (events.Count == 0) return [];
        var standings = await rooms.StandingsAsync([.. events.Select(e => e.Pdu.RoomId).Distinct(StringComparer.Ordinal)], user.Value, ct);
        return await FilterAsync(user, events, standings.Rooms.Values, ct);
    }

    /// <summary>As above, for who knows where the user's last stays in rooms that he is out of have ended: position of that by room nid.</summary>
    public async Task<List<StoredEvent>> FilterAsync(
        UserId user, IReadOnlyList<StoredEvent> events, IReadOnlyDictionary<long, long> joinedUntil, CancellationToken ct)
    {
        if (events.Count == 0) return [];
        var standings = await rooms.StandingsAsync([.. events.Select(e => e.Pdu.RoomId).Distinct(StringComparer.Ordinal)], user.Value, ct);
        return await FilterAsync(user, events, standings.Rooms.Values, joinedUntil, ct);
    }

    /// <summary>As above, for who has just asked how the user stands to the rooms of these events.</summary>
    public Task<List<StoredEvent>> FilterAsync(UserId user, IReadOnlyList<StoredEvent> events, IEnumerable<RoomStanding> standings, CancellationToken ct) =>
        FilterAsync(user, events, standings, NotAsked, ct);

    private static readonly Dictionary<long, long> NotAsked = [];

    private async Task<List<StoredEvent>> FilterAsync(
        UserId user, IReadOnlyList<StoredEvent> events, IEnumerable<RoomStanding> standings, IReadOnlyDictionary<long, long> joinedUntil, CancellationToken ct)
    {
        var known = standings.ToDictionary(s => s.RoomNid, s => new Room(s) { JoinedUntil = joinedUntil.TryGetValue(s.RoomNid, out var until) ? until : null });
        var gone = erased is null ? Nobody : await erased.AllAsync(ct);
        var sights = new Sight?[events.Count];
        List<int>? open = null;
        for (var i = 0; i < events.Count; i++)
        {
            var e = events[i];
            sights[i] = IsOver(e, known[e.RoomNid]) ? Sight.Hidden : ByCurrentState(user, e, known[e.RoomNid], IsErased(e, gone));
            if (sights[i] is null) (open ??= []).Add(i);
        }
        if (open is not null) await ByStateAtEventAsync(user, events, open, sights, known, gone, ct);

        var visible = new List<StoredEvent>(events.Count);
        for (var i = 0; i < events.Count; i++) if (sights[i] is { } sight and not Sight.Hidden) visible.Add(sight == Sight.Pruned ? events[i].Pruned() : events[i]);
        return visible;
    }

    private bool IsOver(StoredEvent e, Room room) =>
        retention is not null && !e.Pdu.IsState && retention.MaxLifetimeMs(room.Retention) is { } lifetime
        && e.Pdu.OriginServerTs < (clock ?? TimeProvider.System).GetUtcNow().ToUnixTimeMilliseconds() - lifetime;

    /// <summary>As <see cref="FilterAsync"/>, for one event.</summary>
    public async Task<Sight> SightAsync(UserId user, StoredEvent e, CancellationToken ct) =>
        await FilterAsync(user, [e], ct) is [var seen] ? seen.IsPruned ? Sight.Pruned : Sight.Whole : Sight.Hidden;

    private sealed class Room(RoomStanding standing)
    {
        public MembershipRecord? Member => standing.Member;
        public StoredEvent? Visibility => standing.Visibility;
        /// <summary>What that event says.</summary>
        public HistoryVisibility Now => now ??= HistoryVisibilities.Read(Visibility!.Pdu.Content.Span);
        private HistoryVisibility? now;
        public Pdu? Retention => standing.Retention?.Pdu;
        /// <summary>Last position at which the user was joined, looked up once; null: not looked up.</summary>
        public long? JoinedUntil { get; set; }
        public bool IsJoined => Member is { Membership: "join" };
    }

    /// <summary>Null: only the state at the event can tell.</summary>
    /// <param name="isErased">It is whole for those only who were joined then.</param>
    private static Sight? ByCurrentState(UserId user, StoredEvent e, Room room, bool isErased)
    {
        if (e.Pdu.Type == EventTypes.Dummy) return Sight.Hidden;
        var own = IsOwnMembership(user, e);
        if ((e.Flags & Hidden) != 0)        // An invite from a room that we are not in may be seen.
            return own && (e.Flags & EventFlags.Outlier) != 0 && (e.Flags & EventFlags.Rejected) == 0 ? Sight.Whole : Sight.Hidden;
        if (own)
        {
            var now = StateContent.Membership(e.Pdu.Content.Span);
            var before = StateContent.Membership(e.PrevContent.Span);
            if (now == "join" || before == "join" || (now == "leave" && before == "invite")) return Sight.Whole;
        }
        if (e.Position is not { } position || e.Pdu.Type == HistoryVisibilities.EventType) return null;
        // Joined without a pause since that position: his own membership answers.
        if (room.IsJoined && room.Member!.Position > 0 && position >= room.Member.Position) return Sight.Whole;

        HistoryVisibility? visibility = null;
        if (room.Visibility is null) visibility = HistoryVisibility.Shared;
        else if (room.Visibility.Position is { } since)
        {
            if (position >= since) visibility = room.Now;
            else if (room.Visibility.ReplacesEventId is null) visibility = HistoryVisibility.Shared;
        }
        if (visibility == HistoryVisibility.WorldReadable || (visibility == HistoryVisibility.Shared && room.IsJoined)) return isErased ? null : Sight.Whole;
        if (visibility is not null && room.Member is null) return Sight.Hidden;
        return null;
    }

    private async Task ByStateAtEventAsync(
        UserId user, IReadOnlyList<StoredEvent> events, List<int> open, Sight?[] sights, Dictionary<long, Room> known, ImmutableHashSet<string> gone, CancellationToken ct)
    {
        // Rows of the stream come without their snapshot.
        var missing = open.Where(i => events[i].SnapshotNid is null).Select(i => events[i].EventNid).ToArray();
        var stored = missing.Length == 0 ? [] : (await reader.ByNidsAsync(missing, ct)).ToDictionary(e => e.EventNid, e => e.SnapshotNid);
        long? SnapshotOf(int i) => events[i].SnapshotNid ?? stored.GetValueOrDefault(events[i].EventNid);

        StateKey[] keys = [new(HistoryVisibilities.EventType, ""), new("m.room.member", user.Value)];
        var snapshots = open.Select(SnapshotOf).OfType<long>().Distinct().ToArray();
        var atSnapshot = await states.EventsOfManyAsync(snapshots, keys, ct);
        foreach (var i in open)
        {
            var e = events[i];
            sights[i] = Sight.Hidden;
            if (SnapshotOf(i) is not { } snapshot) continue;
            var state = atSnapshot[snapshot];
            var membership = Membership(user, state, e);
            if (membership == "join") sights[i] = Sight.Whole;
            else if (Visibility(state, e) switch
            {
                HistoryVisibility.WorldReadable => true,
                HistoryVisibility.Invited => membership == "invite",
                HistoryVisibility.Shared => await JoinedAfterAsync(known[e.RoomNid], e, ct),
                _ => false,
            }) sights[i] = IsErased(e, gone) ? Sight.Pruned : Sight.Whole;
        }
    }

    private static bool IsErased(StoredEvent e, ImmutableHashSet<string> gone) =>
        !gone.IsEmpty && gone.Contains(e.Pdu.Sender) && ErasedUsers.Takes(e.Pdu.Type, e.Pdu.StateKey, e.Pdu.Sender);

    /// <summary>For a visibility event itself the more open of before and after counts.</summary>
    private static HistoryVisibility Visibility(List<StoredEvent> state, StoredEvent e)
    {
        if (e.Pdu.Type == HistoryVisibilities.EventType && e.Pdu.StateKey == "")
        {
            var after = HistoryVisibilities.Read(e.Pdu.Content.Span);
            var before = HistoryVisibilities.Read(e.PrevContent.Span);
            return after > before ? after : before;
        }
        foreach (var s in state) if (s.Pdu.Type == HistoryVisibilities.EventType) return HistoryVisibilities.Read(s.Pdu.Content.Span);
        return HistoryVisibility.Shared;
    }

    /// <summary>For the user's own member event the better of before and after counts.</summary>
    private static string? Membership(UserId user, List<StoredEvent> state, StoredEvent e)
    {
        if (IsOwnMembership(user, e))
        {
            var after = StateContent.Membership(e.Pdu.Content.Span);
            var before = StateContent.Membership(e.PrevContent.Span);
            return Rank(before) > Rank(after) ? before : after;
        }
        foreach (var s in state) if (s.Pdu.Type == "m.room.member") return StateContent.Membership(s.Pdu.Content.Span);
        return null;
    }

    private static int Rank(string? membership) => membership switch { "join" => 2, "invite" => 1, _ => 0 };

    /// <summary>Whether he was joined at any point after the event.</summary>
    private async ValueTask<bool> JoinedAfterAsync(Room room, StoredEvent e, CancellationToken ct)
    {
        if (room.IsJoined) return true;
        if (room.Member is null) return false;
        room.JoinedUntil ??= await LastJoinedAsync(room.Member, ct);
        return (e.Position ?? long.MaxValue) < room.JoinedUntil;
    }

    /// <summary>Position of the event that ended his last stay in the room; <see cref="long.MinValue"/>: none was found among his last memberships.</summary>
    private async Task<long> LastJoinedAsync(MembershipRecord member, CancellationToken ct)
    {
        const int Steps = 8;        // leave, ban, invite, knock and their repetitions after the stay
        var e = (await reader.ByNidsAsync([member.EventNid], ct)).FirstOrDefault();
        for (var i = 0; i < Steps && e is not null; i++)
        {
            if (StateContent.Membership(e.PrevContent.Span) == "join") return e.Position ?? long.MinValue;
            if (e.ReplacesEventId is null) break;
            e = (await reader.ByIdsAsync([e.ReplacesEventId], ct)).FirstOrDefault();
        }
        return long.MinValue;
    }

    private static bool IsOwnMembership(UserId user, StoredEvent e) => e.Pdu.Type == "m.room.member" && e.Pdu.StateKey == user.Value;
}

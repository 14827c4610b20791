using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.Rooms;

/// <summary>
/// May this user see this event? By the history visibility and his membership as they were at the event. The one place that decides it for
/// <c>/messages</c>, <c>/context</c>, <c>/event</c> and <c>/sync</c>; whether he may ask about the room at all is the caller's question.
/// Spec: client-server-api/#room-history-visibility
/// </summary>
/// <param name="retention">Null: messages do not age.</param>
public sealed class EventVisibility(StateReader states, RoomReader rooms, EventReader reader, MessageRetention? retention = null, TimeProvider? clock = null)
{
    private const EventFlags Hidden = EventFlags.Outlier | EventFlags.Rejected | EventFlags.SoftFailed;

    /// <summary>
    /// Those of <paramref name="events"/> that the user may see, in the order given; rooms may be mixed. One round trip for what current state
    /// answers; historical state is read, in three queries altogether, only for events older than his membership or than the room's visibility.
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
        var verdicts = new bool?[events.Count];
        List<int>? open = null;
        for (var i = 0; i < events.Count; i++)
        {
            verdicts[i] = IsOver(events[i], known[events[i].RoomNid]) ? false : ByCurrentState(user, events[i], known[events[i].RoomNid]);
            if (verdicts[i] is null) (open ??= []).Add(i);
        }
        if (open is not null) await ByStateAtEventAsync(user, events, open, verdicts, known, ct);

        var visible = new List<StoredEvent>(events.Count);
        for (var i = 0; i < events.Count; i++) if (verdicts[i] == true) visible.Add(events[i]);
        return visible;
    }

    private bool IsOver(StoredEvent e, Room room) =>
        retention is not null && !e.Pdu.IsState && retention.MaxLifetimeMs(room.Retention) is { } lifetime
        && e.Pdu.OriginServerTs < (clock ?? TimeProvider.System).GetUtcNow().ToUnixTimeMilliseconds() - lifetime;

    /// <summary>As <see cref="FilterAsync"/>, for one event.</summary>
    public async Task<bool> MaySeeAsync(UserId user, StoredEvent e, CancellationToken ct) => (await FilterAsync(user, [e], ct)).Count == 1;

    private sealed class Room(RoomStanding standing)
    {
        public MembershipRecord? Member => standing.Member;
        public StoredEvent? Visibility => standing.Visibility;
        public Pdu? Retention => standing.Retention?.Pdu;
        /// <summary>Last position at which the user was joined, looked up once; null: not looked up.</summary>
        public long? JoinedUntil { get; set; }
        public bool IsJoined => Member is { Membership: "join" };
    }

    /// <summary>Null: only the state at the event can tell.</summary>
    private static bool? ByCurrentState(UserId user, StoredEvent e, Room room)
    {
        if (e.Pdu.Type == EventTypes.Dummy) return false;
        var own = IsOwnMembership(user, e);
        if ((e.Flags & Hidden) != 0)
            return own && (e.Flags & EventFlags.Outlier) != 0 && (e.Flags & EventFlags.Rejected) == 0;      // an invite from a room that we are not in
        if (own)
        {
            var now = StateContent.Membership(e.Pdu.Content.Span);
            var before = StateContent.Membership(e.PrevContent.Span);
            if (now == "join" || before == "join" || (now == "leave" && before == "invite")) return true;
        }
        if (e.Position is not { } position || e.Pdu.Type == HistoryVisibilities.EventType) return null;
        // Joined without a pause since that position: his own membership answers.
        if (room.IsJoined && room.Member!.Position > 0 && position >= room.Member.Position) return true;

        HistoryVisibility? visibility = null;
        if (room.Visibility is null) visibility = HistoryVisibility.Shared;
        else if (room.Visibility.Position is { } since)
        {
            if (position >= since) visibility = HistoryVisibilities.Read(room.Visibility.Pdu.Content.Span);
            else if (room.Visibility.ReplacesEventId is null) visibility = HistoryVisibility.Shared;
        }
        if (visibility == HistoryVisibility.WorldReadable) return true;
        if (visibility == HistoryVisibility.Shared && room.IsJoined) return true;
        if (visibility is not null && room.Member is null) return false;
        return null;
    }

    private async Task ByStateAtEventAsync(
        UserId user, IReadOnlyList<StoredEvent> events, List<int> open, bool?[] verdicts, Dictionary<long, Room> known, CancellationToken ct)
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
            if (SnapshotOf(i) is not { } snapshot) { verdicts[i] = false; continue; }
            var state = atSnapshot[snapshot];
            var visibility = Visibility(state, e);
            var membership = Membership(user, state, e);
            verdicts[i] = visibility switch
            {
                HistoryVisibility.WorldReadable => true,
                _ when membership == "join" => true,
                HistoryVisibility.Invited => membership == "invite",
                HistoryVisibility.Shared => await JoinedAfterAsync(known[e.RoomNid], e, ct),
                _ => false,
            };
        }
    }

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

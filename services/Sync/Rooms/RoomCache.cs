using Matrix.Events;

namespace Matrix.Sync.Rooms;

/// <summary>An event of the state by its nid; the event itself is there when somebody needed it. Default: the state has none at that key.</summary>
internal readonly record struct StateRef(long Nid, CachedEvent? Event)
{
    public bool IsNone => Nid == 0;
}

/// <summary>A timeline event and what it replaced in the current state (none for message events and for state that lost against another branch).</summary>
internal readonly record struct Slot(CachedEvent Event, StateRef Replaced)
{
    /// <summary>What else of the current state changed with it, because forks were resolved; null: nothing.</summary>
    public IReadOnlyList<Move>? Moves { get; init; }
}

/// <summary>A key at which the current state changed without an event of its own.</summary>
internal readonly record struct Move(StateKey Key, StateRef Before, long NowNid);

/// <summary>Somebody's membership by current state; the event is loaded when it is shown.</summary>
internal sealed class Member(Membership membership, long position, long nid, CachedEvent? e)
{
    public Membership Membership { get; } = membership;
    public long Position { get; } = position;
    public long Nid { get; } = nid;
    public CachedEvent? Event { get; set; } = e;
}

/// <summary>
/// What sync holds of a room: a window of its newest timeline events without gaps, and the current state. The state at any position inside the
/// window follows by undoing what came later (<see cref="StateWalk"/>). Changed only under the write lock of <c>SyncState</c>.
/// </summary>
internal sealed class RoomCache
{
    /// <summary>Events that the window keeps at most after it has grown by itself, and how many go at once.</summary>
    private const int MaxWindow = 256, TrimBy = 64;
    /// <summary>Bytes of the window beyond which older events go earlier, down to <see cref="MinWindow"/>.</summary>
    private const int MaxWindowBytes = 512 * 1024, MinWindow = 32;
    private const int BytesPerMember = 144, BytesPerRelated = 192, FixedBytes = 2048;

    private readonly List<Slot> window;
    private readonly Dictionary<StateKey, CachedEvent> state = [];
    private readonly Dictionary<string, Member> members = new(StringComparer.Ordinal);
    /// <summary>Ids of events with children that are aggregated: all of the window; others only until it is trimmed.</summary>
    private readonly HashSet<string> related;
    private string[]? heroes;
    private int windowBytes;

    public RoomCache(
        RoomVersion version, long floor, List<Slot> window, IEnumerable<CachedEvent> state, IEnumerable<KeyValuePair<string, Member>> members,
        HashSet<string> related)
    {
        Version = version;
        Floor = floor;
        this.window = window;
        this.related = related;
        foreach (var slot in window) windowBytes += slot.Event.Bytes;
        foreach (var e in state) { this.state[e.Key] = e; Bytes += e.Bytes; }
        foreach (var (user, member) in members) { this.members[user] = member; Count(member.Membership, 1); }
        Bytes += windowBytes + this.members.Count * BytesPerMember + related.Count * BytesPerRelated + FixedBytes;
    }

    public RoomVersion Version { get; }
    /// <summary>Every timeline event after this position is in the window; <see cref="long.MinValue"/>: the whole room is.</summary>
    public long Floor { get; private set; }
    public IReadOnlyList<Slot> Window => window;
    public IReadOnlyDictionary<StateKey, CachedEvent> State => state;
    public IReadOnlyDictionary<string, Member> Members => members;
    public int Joined { get; private set; }
    public int Invited { get; private set; }
    /// <summary>Estimate of memory, bytes.</summary>
    public long Bytes { get; private set; }
    /// <summary>When an answer last used it, ticks of the clock; written by readers, races are harmless.</summary>
    public long LastUsed { get; set; }

    public StateRef Current(StateKey key)
    {
        if (key.Type == EventTypes.Member) return members.TryGetValue(key.Key, out var m) ? new(m.Nid, m.Event) : default;
        return state.TryGetValue(key, out var e) ? new(e.Nid, e) : default;
    }

    public CachedEvent? Current(string type) => state.GetValueOrDefault(new StateKey(type, ""));

    /// <summary>Whether the event may have children that are aggregated. Those that were redacted since count as well.</summary>
    public bool IsRelated(CachedEvent e) => related.Contains(e.EventId);

    /// <summary>Index of the newest event at or before that position; -1: none in the window.</summary>
    public int LastAt(long position)
    {
        var i = window.Count - 1;
        while (i >= 0 && window[i].Event.Position > position) i--;
        return i;
    }

    /// <summary>An event of the window; null: it is not there.</summary>
    public CachedEvent? Find(string eventId)
    {
        for (var i = window.Count - 1; i >= 0; i--) if (window[i].Event.EventId == eventId) return window[i].Event;
        return null;
    }

    /// <summary>The next timeline event of the room. False: what is held can no longer be kept right, the room has to be loaded again.</summary>
    public bool Append(CachedEvent e, bool isCurrentState)
    {
        if (e.Redacts is not null && !Redact(e)) return false;
        window.Add(new Slot(e, e.IsState && isCurrentState ? Put(e) : default));
        windowBytes += e.Bytes;
        Bytes += e.Bytes;
        if (EventRelation.Read(e.View) is { IsAggregated: true } relation && related.Add(relation.ParentId)) Bytes += BytesPerRelated;
        if (window.Count > MaxWindow + TrimBy || (windowBytes > MaxWindowBytes && window.Count > MinWindow * 2)) Trim();
        return true;
    }

    private PowerLevels? levels;

    /// <summary>Power levels of the current state, for push rules.</summary>
    public PowerLevels Levels => levels ??= PowerLevels.Read(Current(EventTypes.Create)?.View ?? NoCreate(), Current(EventTypes.PowerLevels)?.View);

    /// <summary>Stands in for a create event that this server never got.</summary>
    private Pdu NoCreate() => new()
    {
        Version = Version, EventId = "", RoomId = "", Type = EventTypes.Create, Sender = "", StateKey = "", OriginServerTs = 0, Depth = 0, PrevEvents = [],
        AuthEvents = [], Redacts = null, Json = EmptyObject, Content = EmptyObject,
    };

    private static readonly byte[] EmptyObject = "{}"u8.ToArray();

    private StateRef Put(CachedEvent e)
    {
        if (!e.IsMember)
        {
            if (e.Type is EventTypes.PowerLevels or EventTypes.Create) levels = null;
            state.TryGetValue(e.Key, out var replaced);
            state[e.Key] = e;
            Bytes += e.Bytes - (replaced?.Bytes ?? 0);
            return replaced is null ? default : new(replaced.Nid, replaced);
        }
        var before = members.GetValueOrDefault(e.StateKey!);
        if (before is null) Bytes += BytesPerMember;
        else Count(before.Membership, -1);
        members[e.StateKey!] = new Member(e.Membership, e.Position, e.Nid, e);
        Count(e.Membership, 1);
        heroes = null;
        return before is null ? default : new(before.Nid, before.Event);
    }

    private void Count(Membership membership, int by)
    {
        if (membership == Membership.Join) Joined += by;
        else if (membership == Membership.Invite) Invited += by;
    }

    private void Trim()
    {
        var n = Math.Min(TrimBy, window.Count - MinWindow);
        for (var i = 0; i < n; i++) { windowBytes -= window[i].Event.Bytes; Bytes -= window[i].Event.Bytes; }
        Floor = window[n - 1].Event.Position;
        window.RemoveRange(0, n);
        if (related.Count == 0) return;
        Bytes -= related.Count * BytesPerRelated;
        related.IntersectWith(window.Select(slot => slot.Event.EventId));
        Bytes += related.Count * BytesPerRelated;
    }

    /// <summary>Older events in front of the window, ascending, up to its floor, and which of them have children; the new floor.</summary>
    public void Prepend(List<Slot> older, HashSet<string> olderRelated, long floor)
    {
        Bytes -= related.Count * BytesPerRelated;
        related.UnionWith(olderRelated);
        Bytes += related.Count * BytesPerRelated;
        window.InsertRange(0, older);
        foreach (var slot in older) { windowBytes += slot.Event.Bytes; Bytes += slot.Event.Bytes; }
        Floor = floor;
    }

    /// <summary>Takes the content from what a redaction names. State events and quotes of them are loaded again instead.</summary>
    private bool Redact(CachedEvent redaction)
    {
        for (var i = window.Count - 1; i >= 0; i--)
        {
            var target = window[i].Event;
            if (target.EventId != redaction.Redacts) continue;
            if (target.IsState) return false;
            var redacted = target.RedactedBy(redaction, Version.RedactsInContent && target.Type == EventTypes.Redaction);
            windowBytes += redacted.Bytes - target.Bytes;
            Bytes += redacted.Bytes - target.Bytes;
            window[i] = window[i] with { Event = redacted };
            return true;
        }
        foreach (var e in state.Values) if (e.EventId == redaction.Redacts) return false;
        foreach (var m in members.Values) if (m.Event?.EventId == redaction.Redacts) return false;
        foreach (var slot in window) if (slot.Event.ReplacesEventId == redaction.Redacts) return false;
        return true;
    }

    /// <summary>Keeps the events of members that an answer had to load.</summary>
    public void Keep(CachedEvent e)
    {
        if (e.StateKey is null || !members.TryGetValue(e.StateKey, out var member) || member.Nid != e.Nid || member.Event is not null) return;
        member.Event = e;
        Bytes += e.Bytes;
    }

    /// <summary>
    /// The first six users by the stream that name the room: joined and invited ones, else those who are gone. Six, so that five are left without
    /// the reader himself. Spec: openapi/client-server/sync.yaml, m.heroes
    /// </summary>
    public string[] Heroes()
    {
        if (heroes is { } known) return known;
        const int Most = 6;
        var present = Joined + Invited > 1;
        var first = new List<(long Position, string User)>(Most + 1);
        foreach (var (user, m) in members)
        {
            var isPresent = m.Membership is Membership.Join or Membership.Invite;
            if (present ? !isPresent : m.Membership is Membership.None or Membership.Knock) continue;
            if (first.Count == Most && m.Position >= first[^1].Position) continue;
            var at = first.FindIndex(f => f.Position > m.Position);
            first.Insert(at < 0 ? first.Count : at, (m.Position, user));
            if (first.Count > Most) first.RemoveAt(Most);
        }
        return heroes = [.. first.Select(f => f.User)];
    }
}

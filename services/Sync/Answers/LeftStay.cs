using Matrix.Events;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Sync;
using Matrix.Sync.Rooms;

namespace Matrix.Sync.Answers;

/// <summary>The reader's last stay in a room that he has left, as it is being told.</summary>
/// <param name="turn">The last event about his membership; null: forks were resolved, and he was never there.</param>
/// <param name="end">Position of the event that ended the stay; <paramref name="turn"/> may be a later one, such as a ban.</param>
internal sealed class LeftStay(Reader reader, RoomPlan part, LeftRoom left, CachedEvent? turn, long end)
{
    /// <summary>Members that say who a room is that has no name.</summary>
    private const int MostHeroes = 6;
    private readonly List<Membership> readerAt = [];
    private readonly List<(StateKey Key, long Nid)> state = [];
    private readonly HashSet<StateKey> profile = [];
    private Membership membership = Membership.Leave;
    /// <summary>Null: nothing was looked at yet.</summary>
    private long? upTo;
    /// <summary>The timeline's span has state events that the timeline does not show.</summary>
    private bool hidesState;

    public long RoomNid => left.RoomNid;
    public int Limit => reader.Request.TimelineLimit;
    /// <summary>What is to be looked at next, from its end on.</summary>
    public TimelineRange Range => new(left.RoomNid, left.Known, upTo ?? end);
    private bool IsSliding => reader.Request.IsSliding;
    /// <summary>The reader has been told off after he was gone.</summary>
    private bool IsLate => turn is not null && turn.Position > end;
    private RoomPosition StateAt => new(left.RoomNid, reader.Request.UseStateAfter ? end : part.StartsAfter);
    private RoomPosition? Known => left.IsFull || left.Known == long.MinValue ? null : new(left.RoomNid, left.Known);
    private RoomPosition End => new(left.RoomNid, end);
    public IEnumerable<RoomPosition> Places => new[] { StateAt, Known ?? StateAt, hidesState ? End : StateAt };

    /// <summary>Takes a page of the timeline, ascending. True: the timeline is done.</summary>
    public bool Take(List<StoredEvent> page, int size, Dictionary<long, Sight> visible, HashSet<string>? related, bool isLast)
    {
        if (part.Timeline.Count == 0 && IsLate && Limit > 0 && IsWanted(turn!))
        {
            part.Timeline.Add(turn!);
            readerAt.Add(turn!.Membership);
        }
        for (var i = page.Count - 1; i >= 0; i--)
        {
            var e = CachedEvent.Of(page[i]);
            var isOwn = e.IsMember && e.StateKey == reader.User.Id;
            if (isOwn) membership = e.PrevMembership;
            if (!visible.ContainsKey(e.Nid) || !IsWanted(e) || related?.Contains(e.EventId) == false)
            {
                hidesState |= e.IsState;
                continue;
            }
            if (part.Timeline.Count == Limit)
            {
                part.Limited = true;
                return true;
            }
            part.Timeline.Add(e);
            readerAt.Add(isOwn ? e.Membership : membership == Membership.None ? Membership.Leave : membership);
        }
        if (page.Count < size) return true;
        upTo = page[0].Position!.Value - 1;
        part.Limited = isLast;
        return upTo <= left.Known;
    }

    private bool IsWanted(CachedEvent e) =>
        e.Type != EventTypes.Dummy && (e.IsState || !reader.User.AccountData.Ignored.Contains(e.Sender)) && reader.Request.Filter.Room.Timeline.Matches(e.View);

    public void EndTimeline()
    {
        part.Timeline.Reverse();
        readerAt.Reverse();
        part.ReaderAt = [.. readerAt];
        // Synapse: as in a room that was joined since, what the client may have of an earlier stay does not join this.
        if (left.Known == long.MinValue && !reader.Request.IsInitial && !IsSliding) part.Limited = true;
        if (part.Limited) part.Parents.AddRange(part.Timeline);
        part.StartsAfter = part.Timeline.Count > 0 ? Math.Min(part.Timeline[0].Position - 1, end) : end;
    }

    /// <summary>The state to tell: all of it, or what changed; nids by state key nid.</summary>
    public Dictionary<long, long> Changes(Dictionary<RoomPosition, Dictionary<long, long>> states)
    {
        var now = states.GetValueOrDefault(StateAt) ?? [];
        if (hidesState)
        {
            var shown = part.Timeline.Select(e => e.Nid).ToHashSet();
            now = new(now);
            foreach (var (key, nid) in states.GetValueOrDefault(End) ?? []) if (!shown.Contains(nid)) now[key] = nid;
        }
        if (Known is not { } known || !states.TryGetValue(known, out var before)) return now;
        return now.Where(s => before.GetValueOrDefault(s.Key) != s.Value).ToDictionary(s => s.Key, s => s.Value);
    }

    /// <summary>Nids of the events that have to be read.</summary>
    public IEnumerable<long> Choose(Dictionary<long, long> changes, Dictionary<long, StateKey> keys)
    {
        var senders = part.Timeline.Select(e => e.Sender).Append(reader.User.Id).ToHashSet(StringComparer.Ordinal);
        var members = new List<(StateKey Key, long Nid)>();
        foreach (var (keyNid, nid) in changes)
        {
            if (!keys.TryGetValue(keyNid, out var key)) continue;
            if (key.Type == EventTypes.Member && key.Key != reader.User.Id) members.Add((key, nid));
            var isProfile = IsSliding && key is { Type: EventTypes.Name or EventTypes.Avatar, Key: "" };
            if (isProfile) profile.Add(key);
            if (isProfile || IsTold(key, senders)) state.Add((key, nid));
        }
        if (!IsSliding || profile.Contains(new(EventTypes.Name, "")) || Known is not null) return state.Select(s => s.Nid);
        foreach (var hero in members.OrderBy(m => m.Nid).Take(MostHeroes))
        {
            profile.Add(hero.Key);
            if (!IsTold(hero.Key, senders)) state.Add(hero);
        }
        return state.Select(s => s.Nid);
    }

    private bool IsTold(StateKey key, HashSet<string> senders) =>
        reader.Request.LazyMembers && key.Type == EventTypes.Member
            ? senders.Contains(key.Key) || (IsSliding && reader.Request.Tells(key)) : reader.Request.Tells(key);

    public void TellState(Dictionary<long, CachedEvent> events)
    {
        var senders = part.Timeline.Select(e => e.Sender).Append(reader.User.Id).ToHashSet(StringComparer.Ordinal);
        var isNow = reader.Request.UseStateAfter || !part.Timeline.Contains(turn!);
        foreach (var (key, nid) in state)
        {
            // What he is now, where he was gone before.
            var isOwn = IsLate && isNow && key.Type == EventTypes.Member && key.Key == reader.User.Id;
            if (!isOwn && !events.ContainsKey(nid)) continue;
            var e = isOwn ? turn! : events[nid];
            if (IsTold(key, senders) && reader.Request.Filter.Room.State.Matches(e.View)) part.StateEvents.Add(e);
        }
        if (!IsSliding) return;
        CachedEvent? Of(string type) => state.Where(s => s.Key.Type == type && s.Key.Key == "").Select(s => events.GetValueOrDefault(s.Nid)).FirstOrDefault();
        part.Profile = new(Of(EventTypes.Name), Of(EventTypes.Avatar), null);
        foreach (var (key, nid) in state)
            if (key.Type == EventTypes.Member && profile.Contains(key) && events.TryGetValue(nid, out var hero) && hero.Membership is Membership.Join or Membership.Invite)
                part.Profile.HeroEvents.Add(hero);
    }
}

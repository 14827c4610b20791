using Matrix.Events;
using Matrix.Rooms;
using Matrix.Sync.Rooms;
using Matrix.Sync.Sliding;

namespace Matrix.Sync.Answers;

/// <summary>
/// Finds what a reader is to be told of a joined room, from its cache: one walk from the newest event backwards, in which the state is undone on the
/// way. Runs under the read lock: references only, no bytes.
/// </summary>
internal ref partial struct RoomPlanner
{
    private readonly RoomCache cache;
    private readonly Reader reader;
    private readonly SyncRequest request;
    private readonly RoomPlan plan;
    /// <summary>The client has been told the room up to here; <see cref="long.MinValue"/>: nothing.</summary>
    private readonly long known;
    private readonly long now;
    private StateWalk walk;
    /// <summary>State at <see cref="now"/> of the keys that the walk came across, down to the timeline's start, and further to <see cref="known"/>.</summary>
    private Dictionary<StateKey, StateRef>? atNow, atStart;
    private Membership own;
    private List<Membership>? readerAt;

    public enum Outcome { Done, TooShallow }

    /// <param name="known">Position up to which the client knows the room's timeline; <see cref="long.MinValue"/>: not at all.</param>
    /// <param name="isFull">The whole state is wanted.</param>
    public RoomPlanner(RoomCache cache, Reader reader, RoomPlan plan, Membership ownNow, long known, long now, bool isFull)
    {
        this.cache = cache;
        this.reader = reader;
        this.plan = plan;
        this.known = known;
        this.now = now;
        request = reader.Request;
        own = ownNow;
        walk = new StateWalk(cache);
        plan.IsFull = isFull;
    }

    /// <param name="mayExtend">False: take what the window has.</param>
    public Outcome Run(bool mayExtend)
    {
        var window = cache.Window;
        var i = window.Count - 1;
        for (; i >= 0 && window[i].Event.Position > now; i--) Pass(window[i]);
        var end = i;

        var limit = request.TimelineLimit;
        for (; i >= 0 && window[i].Event.Position > known && plan.Timeline.Count < limit; i--)
        {
            var e = window[i].Event;
            Note(window[i], ref atNow);
            if (IsWanted(e)) Take(e);
            Pass(window[i]);
        }
        var isMore = false;
        for (var j = i; !isMore && j >= 0 && window[j].Event.Position > known; j--) isMore = IsWanted(window[j].Event);
        var isBelow = cache.Floor > known;      // there is more of the room than the window, and the client does not know it
        if (!isMore && isBelow && mayExtend && plan.Timeline.Count < limit && MaySeeOlder()) return Outcome.TooShallow;
        plan.Limited = isMore || isBelow;
        plan.Timeline.Reverse();
        plan.StartsAfter = plan.Timeline.Count > 0 ? plan.Timeline[0].Position - 1 : now;
        SetReaderAt();
        PlanSummary(window, end);

        if (request.UseStateAfter) PlanStateAfter(window, i, end);
        else PlanState(window, i);
        return Outcome.Done;
    }

    private void Take(CachedEvent e)
    {
        plan.Timeline.Add(e);
        var at = Membership.Join;
        if (own != Membership.Join) at = own == Membership.None ? Membership.Leave : own;
        if (at != Membership.Join && readerAt is null) readerAt = [.. Enumerable.Repeat(Membership.Join, plan.Timeline.Count - 1)];
        readerAt?.Add(at);
    }

    private readonly void SetReaderAt()
    {
        if (readerAt is null) return;
        readerAt.Reverse();
        plan.ReaderAt = [.. readerAt];
    }

    /// <summary>Keeps the state after the event at the keys that it changed, unless a newer event has changed them.</summary>
    private readonly void Note(in Slot slot, ref Dictionary<StateKey, StateRef>? at)
    {
        if (slot.Event.IsState) (at ??= []).TryAdd(slot.Event.Key, walk.Get(slot.Event.Key));
        foreach (var move in slot.Moves ?? []) (at ??= []).TryAdd(move.Key, walk.Get(move.Key));
    }

    private void Pass(in Slot slot)
    {
        var e = slot.Event;
        if (e.IsMember && e.StateKey == reader.User.Id) own = e.PrevMembership;
        walk.Undo(slot);
    }

    private readonly bool IsWanted(CachedEvent e)
    {
        if (e.Type == EventTypes.Dummy) return false;
        if (!e.IsState && reader.User.AccountData.Ignored.Count > 0 && reader.User.AccountData.Ignored.Contains(e.Sender)) return false;
        if (!e.IsState && e.View.OriginServerTs < plan.OldestTsMs) return false;
        return request.Filter.Room.Timeline.Matches(e.View) && plan.RelatedBy?.Contains(e.EventId) != false && (IsVisible(e) || IsCurrentState(e));
    }

    /// <summary>
    /// What still stands he is told anyway, as state. Synapse: he finds it in the timeline, even of a time that is hidden from him.
    /// </summary>
    private readonly bool IsCurrentState(CachedEvent e) =>
        e.IsState && (atNow is not null && atNow.TryGetValue(e.Key, out var value) ? value : walk.Get(e.Key)).Nid == e.Nid;

    /// <summary>
    /// The rules of <see cref="EventVisibility"/> along the stream: the walk knows the visibility and the reader's membership at the event.
    /// Spec: client-server-api/#room-history-visibility
    /// </summary>
    private readonly bool IsVisible(CachedEvent e)
    {
        if (own == Membership.Join) return true;
        if (e.IsMember && e.StateKey == reader.User.Id && (e.Membership == Membership.Join || e.PrevMembership == Membership.Join)) return true;
        var visibility = Visibility(walk.Get(new StateKey(EventTypes.HistoryVisibility, "")).Event);
        if (e.IsState && e.Type == EventTypes.HistoryVisibility && e.StateKey == "")
        {
            var before = HistoryVisibilities.Read(PrevContent(e));
            if (before > visibility) visibility = before;
        }
        return visibility switch
        {
            HistoryVisibility.WorldReadable or HistoryVisibility.Shared => true,    // he is joined now
            HistoryVisibility.Invited => own == Membership.Invite,
            _ => false,
        };
    }

    /// <summary>False: at the start of the window the reader was outside of a room that shows him nothing of that time.</summary>
    private readonly bool MaySeeOlder() =>
        own == Membership.Join || Visibility(walk.Get(new StateKey(EventTypes.HistoryVisibility, "")).Event) >= HistoryVisibility.Shared;

    private static HistoryVisibility Visibility(CachedEvent? e) => e is null ? HistoryVisibility.Shared : HistoryVisibilities.Read(e.Content);

    private readonly ReadOnlySpan<byte> PrevContent(CachedEvent e)
    {
        for (var i = cache.LastAt(e.Position); i >= 0; i--)
            if (cache.Window[i].Event.Nid == e.Nid) return cache.Window[i].Replaced.Event is { } before ? before.Content : default;
        return default;
    }

    // ---------------------------------------------------------------- state before the timeline

    private void PlanState(IReadOnlyList<Slot> window, int i)
    {
        PlanLazyMembers(atEnd: false);
        if (plan.IsFull)
        {
            foreach (var e in cache.State.Values) Tell(e.Key, walk.Get(e.Key));
            if (!request.LazyMembers)
                foreach (var user in cache.Members.Keys) Tell(MemberKey(user), walk.Get(MemberKey(user)));
            TellHidden();
            return;
        }
        if (cache.Floor > known)
        {
            // What changed below the window is for the database to say; what the client's filter hid above it, is known here.
            plan.Gap = (0, known, plan.Timeline.Count > 0 || i >= 0 ? StartOf(window, i) : cache.Floor);
            TellHidden();
            return;
        }
        for (; i >= 0 && window[i].Event.Position > known; i--)
        {
            Note(window[i], ref atStart);
            Pass(window[i]);
        }
        if (atStart is not null)
            foreach (var (key, value) in atStart)
                if (value.Nid != walk.Get(key).Nid && !IsHidden(key)) Tell(key, value);
        TellHidden();
    }

    private readonly long StartOf(IReadOnlyList<Slot> window, int i) => i >= 0 ? window[i].Event.Position : cache.Floor;

    /// <summary>State that changed within the timeline's span by events that the filter keeps from the timeline: told with its newest value.</summary>
    private readonly void TellHidden()
    {
        if (atNow is null) return;
        foreach (var (key, value) in atNow)
            if (IsHidden(key)) Tell(key, value);
    }

    private readonly bool IsHidden(StateKey key)
    {
        if (atNow is null || !atNow.TryGetValue(key, out var value) || value.IsNone) return false;
        foreach (var e in plan.Timeline) if (e.Nid == value.Nid) return false;
        return !request.LazyMembers || !plan.IsFull || key.Type != EventTypes.Member;
    }

    private readonly void Tell(StateKey key, StateRef value)
    {
        if (value.IsNone) return;
        if (plan.IsFull && IsHidden(key) && value.Nid != atNow![key].Nid) return;       // its newest value is told instead
        plan.State.Add(value);
    }

    // ---------------------------------------------------------------- state after the timeline

    private void PlanStateAfter(IReadOnlyList<Slot> window, int i, int end)
    {
        PlanLazyMembers(atEnd: true);
        if (plan.IsFull)
        {
            var atEnd = new StateWalk(cache);
            for (var j = window.Count - 1; j > end; j--) atEnd.Undo(window[j]);
            foreach (var e in cache.State.Values) if (request.Tells(e.Key)) Add(atEnd.Get(e.Key));
            foreach (var user in request.AllMembers ? cache.Members.Keys : request.Required?.MemberKeys ?? []) Add(atEnd.Get(MemberKey(user)));
            return;
        }
        if (cache.Floor > known)
        {
            plan.Gap = (0, known, now);
            return;
        }
        for (; i >= 0 && window[i].Event.Position > known; i--)
        {
            Note(window[i], ref atNow);
            Pass(window[i]);
        }
        if (atNow is null) return;
        foreach (var (key, value) in atNow)
        {
            if (value.Nid == walk.Get(key).Nid || !(request.Tells(key) || IsMemberNews(key))) continue;
            if (value.IsNone) plan.Deleted.Add(key);
            else plan.State.Add(value);
        }
    }

    /// <summary>Sliding sync with lazily loaded members: who keeps them is told all changes, unless there is a gap.</summary>
    private readonly bool IsMemberNews(StateKey key) => request is { IsSliding: true, LazyMembers: true } && key.Type == EventTypes.Member && !plan.Limited;

    private readonly void Add(StateRef value)
    {
        if (!value.IsNone) plan.State.Add(value);
    }

    /// <summary>What sliding sync tells of the room besides.</summary>
    public readonly void PlanProfile()
    {
        var profile = new RoomProfile(cache.Current(EventTypes.Name), cache.Current(EventTypes.Avatar), LastActivity());
        foreach (var hero in plan.Summary?.Heroes ?? [])
            if (cache.Current(MemberKey(hero)) is { IsNone: false } member) profile.Heroes.Add(member);
        plan.Profile = profile;
    }

    private readonly long? LastActivity()
    {
        for (var i = cache.Window.Count - 1; i >= 0; i--)
            if (cache.Window[i].Event is var e && e.Position <= now && BumpTypes.Contains(e.Type)) return e.Position;
        return null;
    }
}

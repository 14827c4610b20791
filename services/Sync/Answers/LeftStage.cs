using Matrix.Events;
using Matrix.Storage.Events;
using Matrix.Storage.Sync;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Answers;

/// <summary>
/// Rooms that the reader has left: the timeline up to that, and the state at its start, from the database's snapshots; some rooms at a time. It happens
/// seldom, so nothing of it is kept.
/// </summary>
internal sealed class LeftStage(ISyncStore store)
{
    /// <summary>Rooms whose old states are in memory at a time.</summary>
    private const int RoomsPerTurn = 50;
    private const int EventsPerQuery = 5000;

    public async Task RunAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        if (plan.Left.Count == 0) return;
        var forgotten = reader.Request.IsInitial ? await store.ForgottenAsync(reader.User.Id, [.. plan.Left.Select(l => l.RoomNid)], ct) : [];
        foreach (var rooms in plan.Left.Where(l => !forgotten.Contains(l.RoomNid)).Chunk(RoomsPerTurn)) await TellAsync(plan, reader, rooms, ct);
    }

    private async Task TellAsync(AnswerPlan plan, Reader reader, LeftRoom[] rooms, CancellationToken ct)
    {
        var turns = (await store.EventsByNidsAsync([.. rooms.Select(l => l.EventNid).Where(nid => nid != 0)], ct)).ToDictionary(e => e.EventNid, e => CachedEvent.Of(e));
        var ends = await StayEndsAsync(reader, rooms, turns, ct);
        var stays = new List<LeftStay>();
        foreach (var left in rooms)
        {
            var turn = turns.GetValueOrDefault(left.EventNid);
            var hasStayed = ends.TryGetValue(left.RoomNid, out var end);
            if (turn is null && !hasStayed) continue;
            var wanted = reader.For(left.As);
            var part = new RoomPlan(left.RoomId, wanted.Request) { MustTell = true, RoomNid = left.RoomNid, UpTo = hasStayed ? end : left.LeftAt };
            if (hasStayed) stays.Add(new(wanted, part, left, turn, end));
            else TellTurn(wanted, part, turn!);
            plan.LeftPlans.Add(part);
        }
        if (stays.Count == 0) return;
        await FillTimelinesAsync(reader, stays, ends, ct);
        await FillStatesAsync(stays, ct);
    }

    /// <summary>
    /// Where the last stays have ended, by room nid: with the last event about the reader, unless he had been gone already when he was banned, or invited
    /// and so on. Rooms that he was never in are omitted, and those of which he is not to be told more than that event.
    /// </summary>
    private async Task<Dictionary<long, long>> StayEndsAsync(Reader reader, LeftRoom[] rooms, Dictionary<long, CachedEvent> turns, CancellationToken ct)
    {
        var ends = new Dictionary<long, long>();
        var unknown = new List<long>();
        foreach (var left in rooms)
        {
            if (!left.WasJoined) continue;
            // Forks that were resolved may have ended it without an event.
            if (left.LeftAt > 0 && (!turns.TryGetValue(left.EventNid, out var turn) || turn.PrevMembership == Membership.Join)) ends[left.RoomNid] = left.LeftAt;
            else unknown.Add(left.RoomNid);
        }
        if (unknown.Count == 0) return ends;
        foreach (var room in (await store.MembershipHistoryAsync(reader.User.Id, unknown, long.MinValue, ct)).GroupBy(step => step.RoomNid))
        {
            var before = Membership.None;
            foreach (var step in room.OrderBy(step => step.Position))
            {
                var after = MembershipNames.Parse(step.Membership);
                if (before == Membership.Join && after != Membership.Join) ends[room.Key] = step.Position;
                before = after;
            }
        }
        return ends;
    }

    /// <summary>Who was never in the room is told his own event only: an invitation that was rejected or withdrawn, a ban.</summary>
    private static void TellTurn(Reader reader, RoomPlan part, CachedEvent turn)
    {
        part.IsTurnOnly = true;
        var request = reader.Request;
        if (request.Filter.Room.Timeline.Matches(turn.View)) part.Timeline.Add(turn);
        // Clients that keep to the state learn from nothing else that they are out.
        if (request.UseStateAfter && (request.LazyMembers || request.Tells(turn.Key)) && request.Filter.Room.State.Matches(turn.View)) part.StateEvents.Add(turn);
        part.ReaderAt = [.. part.Timeline.Select(e => e.Membership)];
        part.StartsAfter = turn.Position - 1;
    }

    private async Task FillTimelinesAsync(Reader reader, List<LeftStay> stays, Dictionary<long, long> ends, CancellationToken ct)
    {
        const int Pages = 5;
        var filter = reader.Request.Filter.Room.Timeline;
        var open = stays;
        for (var page = 1; open.Count > 0; page++)
        {
            var size = Math.Max(open.Max(stay => stay.Limit) * 2, 20);
            var loads = await store.TimelinesAsync([.. open.Select(stay => stay.Range)], size, ct);
            var events = loads.Values.SelectMany(load => load.Events).ToList();
            var visible = events.Count == 0 ? [] : await store.VisibleAsync(reader.User.Id, events, ends, ct);
            var related = filter.AsksForRelated ? await store.RelatedAsync([.. events.Select(e => (e.RoomNid, e.Pdu.EventId))], filter, ends.Values.Max(), ct) : null;
            var isLast = page == Pages;
            open = open.FindAll(stay => !stay.Take(loads.GetValueOrDefault(stay.RoomNid)?.Events ?? [], size, visible, related, isLast) && !isLast);
        }
        foreach (var stay in stays) stay.EndTimeline();
    }

    private async Task FillStatesAsync(List<LeftStay> stays, CancellationToken ct)
    {
        var states = await store.StatesAtAsync([.. stays.SelectMany(stay => stay.Places).Distinct()], ct);
        var changes = stays.ConvertAll(stay => stay.Changes(states));
        var keys = await store.StateKeysAsync([.. changes.SelectMany(state => state.Keys).Distinct()], ct);
        var nids = new HashSet<long>();
        for (var i = 0; i < stays.Count; i++) nids.UnionWith(stays[i].Choose(changes[i], keys));
        var events = new Dictionary<long, CachedEvent>(nids.Count);
        foreach (var chunk in nids.Chunk(EventsPerQuery))
            foreach (var e in await store.EventsByNidsAsync(chunk, ct)) events[e.EventNid] = CachedEvent.Of(e);
        foreach (var stay in stays) stay.TellState(events);
    }
}

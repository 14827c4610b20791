using Matrix.Events;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Answers;

/// <summary>
/// Rooms that the reader has left: the timeline up to that, and the state at its start, from the database's snapshots. It happens seldom, so nothing of
/// it is kept.
/// </summary>
internal sealed class LeftStage(ISyncStore store)
{
    public async Task RunAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        if (plan.Left.Count == 0) return;
        var forgotten = reader.Request.IsInitial ? await store.ForgottenAsync(reader.User.Id, [.. plan.Left.Select(l => l.Own.RoomNid)], ct) : [];
        var turns = (await store.EventsByNidsAsync([.. plan.Left.Select(l => l.Own.EventNid)], ct)).ToDictionary(e => e.EventNid, e => CachedEvent.Of(e));
        foreach (var left in plan.Left)
        {
            var wanted = reader.For(left.As);
            if (forgotten.Contains(left.Own.RoomNid) || !turns.TryGetValue(left.Own.EventNid, out var turn)) continue;
            var part = new RoomPlan(left.Own.RoomId, wanted.Request) { MustTell = true, RoomNid = left.Own.RoomNid, UpTo = left.LeftAt };
            // Who was never in the room is told his own event only: an invitation that was rejected or withdrawn.
            if (left.LeftAt == 0 || !left.WasJoined || (reader.Request.IsInitial && turn.PrevMembership != Membership.Join)) TellTurn(wanted, part, turn);
            else await TellStayAsync(wanted, part, left, ct);
            plan.LeftPlans.Add(part);
        }
        if (!reader.Request.IsInitial && !reader.Request.IsSliding) await FindStrangersAsync(plan, reader.Request.Since!.Value.Events, ct);
    }

    private static void TellTurn(Reader reader, RoomPlan part, CachedEvent turn)
    {
        if (reader.Request.Filter.Room.Timeline.Matches(turn.View)) part.Timeline.Add(turn);
        part.ReaderAt = [.. part.Timeline.Select(e => e.Membership)];
        part.StartsAfter = turn.Position - 1;
    }

    private async Task TellStayAsync(Reader reader, RoomPlan part, LeftRoom left, CancellationToken ct)
    {
        const int Pages = 5;
        var (room, limit, upTo) = (left.Own.RoomNid, reader.Request.TimelineLimit, left.LeftAt);
        var filter = reader.Request.Filter.Room.Timeline;
        var readerAt = new List<Membership>();
        var membership = left.Own.Membership;
        for (var page = 0; page < Pages && upTo > left.Known; page++)
        {
            var size = Math.Max(limit * 2, 20);
            var events = await store.TimelineAsync(room, left.Known, upTo, size, ct);
            var visible = events.Count == 0 ? [] : await store.VisibleAsync(reader.User.Id, [.. events.Select(e => e.EventNid)], ct);
            var related = filter.AsksForRelated ? await store.RelatedAsync([.. events.Select(e => (room, e.Pdu.EventId))], filter, left.LeftAt, ct) : null;
            foreach (var stored in events)
            {
                var e = CachedEvent.Of(stored);
                if (e.IsMember && e.StateKey == reader.User.Id) membership = e.PrevMembership;
                if (!visible.ContainsKey(e.Nid) || !IsWanted(reader, e) || related?.Contains(e.EventId) == false) continue;
                if (part.Timeline.Count == limit) { part.Limited = true; break; }
                part.Timeline.Add(e);
                readerAt.Add(e.IsMember && e.StateKey == reader.User.Id ? e.Membership : membership);
            }
            if (part.Limited || events.Count < size) break;
            upTo = events[^1].Position!.Value - 1;
            if (page == Pages - 1) part.Limited = true;
        }
        part.Timeline.Reverse();
        readerAt.Reverse();
        if (part.Limited) part.Parents.AddRange(part.Timeline);
        part.ReaderAt = [.. readerAt];
        part.StartsAfter = part.Timeline.Count > 0 ? part.Timeline[0].Position - 1 : left.LeftAt;
        var stateAt = reader.Request.UseStateAfter ? left.LeftAt : part.StartsAfter;
        var state = await store.StateAtAsync(room, stateAt, ct);
        if (!left.IsFull && left.Known != long.MinValue)
            foreach (var (key, nid) in await store.StateAtAsync(room, left.Known, ct)) if (state.GetValueOrDefault(key) == nid) state.Remove(key);
        await TellStateAsync(reader, part, state.Values, ct);
    }

    private async Task TellStateAsync(Reader reader, RoomPlan part, IReadOnlyCollection<long> nids, CancellationToken ct)
    {
        if (nids.Count == 0) return;
        var senders = part.Timeline.Select(e => e.Sender).Append(reader.User.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var stored in await store.EventsByNidsAsync(nids, ct))
        {
            var e = CachedEvent.Of(stored);
            var isLazy = reader.Request.LazyMembers && e.IsMember;
            if (isLazy ? !senders.Contains(e.StateKey!) && !(reader.Request.IsSliding && reader.Request.Tells(e.Key)) : !reader.Request.Tells(e.Key)) continue;
            if (reader.Request.Filter.Room.State.Matches(e.View)) part.StateEvents.Add(e);
        }
    }

    private static bool IsWanted(Reader reader, CachedEvent e) =>
        e.Type != EventTypes.Dummy && (e.IsState || !reader.User.AccountData.Ignored.Contains(e.Sender)) && reader.Request.Filter.Room.Timeline.Matches(e.View);

    /// <summary>Members of the rooms left, also those who left them meanwhile: the reader may share no room with them any more.</summary>
    private async Task FindStrangersAsync(AnswerPlan plan, long since, CancellationToken ct)
    {
        var rooms = plan.Left.Where(l => l.WasJoined).Select(l => l.Own.RoomNid).ToList();
        if (rooms.Count == 0) return;
        plan.DevicesLeft.UnionWith(await store.MembersSinceAsync(rooms, since, ct));
    }
}

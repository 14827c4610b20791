using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Streams;
using Matrix.Sync.Answers;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Legacy;

/// <summary>The answer of /events: everything since the token as one list, the oldest room events first. Spec: openapi/client-server/old_sync.yaml</summary>
/// <param name="limit">Most room events of an answer. What is left out is told by the next one.</param>
internal sealed class EventsForm(int limit, ISyncStore store) : IAnswerForm
{
    public const int MaxLimit = 1000;

    /// <summary>Position up to which all that may be told is there.</summary>
    private long horizon = long.MaxValue;

    public bool HasNews(AnswerPlan plan) =>
        plan.Joined.Count > 0 || plan.InvitePlans.Count > 0 || plan.KnockPlans.Count > 0 || plan.LeftPlans.Count > 0 || plan.AccountData.Count > 0
        || plan.Presence.Count > 0;

    /// <summary>A client that is further behind than a timeline goes back is told the oldest events of that room first.</summary>
    public async Task CompleteAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        var since = reader.Request.Since!.Value.Events;
        foreach (var part in plan.Joined.Concat(plan.LeftPlans))
        {
            if (!part.Limited || part.StartsAfter <= since || limit == 0) continue;
            var page = await store.NextEventsAsync(part.RoomNid, since, part.UpTo ?? plan.Now.Events, limit, ct);
            var visible = await store.VisibleAsync(reader.User.Id, [.. page.Select(e => e.EventNid)], ct);
            part.Timeline.Clear();
            foreach (var e in page.Where(e => visible.ContainsKey(e.EventNid)).Select(e => visible[e.EventNid] == Sight.Pruned ? CachedEvent.Of(e).Pruned() : CachedEvent.Of(e)))
                if (e.IsState || !reader.User.AccountData.Ignored.Contains(e.Sender)) part.Timeline.Add(e);
            part.ReaderAt = [.. part.Timeline.Select(e => e.IsMember && e.StateKey == reader.User.Id ? e.Membership : Membership.Join)];
            if (page.Count == limit) horizon = Math.Min(horizon, page[^1].Position!.Value);
        }
    }

    public void Write(PooledBuffer output, AnswerPlan plan, Reader reader)
    {
        var since = reader.Request.Since!.Value;
        var events = Events(plan, since.Events);
        events.RemoveAll(e => e.Event.Position > horizon);
        var end = plan.Now with { Events = Math.Min(plan.Now.Events, horizon) };
        if (events.Count > limit)
        {
            events.RemoveRange(limit, events.Count - limit);
            end = end with { Events = limit == 0 ? since.Events : events[^1].Event.Position };
        }
        var list = new LegacyEventList(output, since, plan.NowMs);
        var device = (string sender) => sender == reader.User.Id ? reader.Request.DeviceId : null;
        foreach (var (roomId, e, membership) in events) list.Event(roomId, e, device(e.Sender), membership);
        foreach (var part in plan.Joined)
        {
            list.Receipts(part.RoomId, part.Receipts);
            if (part.Typing is { } typing) list.Typing(part.RoomId, typing);
            foreach (var (type, content) in part.AccountData) list.AccountData(part.RoomId, type, content);
        }
        foreach (var (userId, row) in plan.Presence) list.Presence(userId, row);
        foreach (var (type, content) in plan.AccountData) list.AccountData(null, type, content);
        list.End(end);
    }

    /// <summary>Ascending. A room that is new to the reader is told from the token on, as all others.</summary>
    private static List<(string RoomId, CachedEvent Event, Membership Membership)> Events(AnswerPlan plan, long since)
    {
        var events = new List<(string RoomId, CachedEvent Event, Membership Membership)>();
        foreach (var part in plan.Joined.Concat(plan.LeftPlans))
            for (var i = 0; i < part.Timeline.Count; i++)
                if (part.Timeline[i].Position > since) events.Add((part.RoomId, part.Timeline[i], part.ReaderAt is { } at ? at[i] : Membership.Join));
        foreach (var part in plan.InvitePlans.Concat(plan.KnockPlans)) events.Add((part.RoomId, part.State[^1], part.State[^1].Membership));
        events.Sort((a, b) => a.Event.Position.CompareTo(b.Event.Position));
        return events;
    }
}

/// <summary>Writes <c>{start, chunk, end}</c>; events carry their room and, as in the first version of the API, <c>user_id</c>.</summary>
internal sealed class LegacyEventList
{
    private readonly PooledBuffer output;
    private readonly Positions start;
    private readonly long nowMs;
    private bool first = true;

    public LegacyEventList(PooledBuffer output, Positions start, long nowMs)
    {
        (this.output, this.start, this.nowMs) = (output, start, nowMs);
        output.Raw("{\"chunk\":["u8);
    }

    public void Event(string roomId, CachedEvent e, string? device, Membership reader) =>
        LegacyEvent.Write(output.Comma(ref first), roomId, e, nowMs, device, reader);

    public void Receipts(string roomId, List<ReceiptRow> newestFirst)
    {
        if (newestFirst.Count > 0) Open("m.receipt", roomId).ReceiptContent(newestFirst).Raw("}"u8);
    }

    public void Typing(string roomId, IEnumerable<string> users) => Open("m.typing", roomId).TypingContent(users).Raw("}"u8);
    public void AccountData(string? roomId, string type, ReadOnlyMemory<byte> content) => Open(type, roomId).Raw(content.Span).Raw("}"u8);
    public void Presence(string userId, PresenceRow row) => LegacyEvent.WritePresence(output.Comma(ref first), userId, row, nowMs);

    private PooledBuffer Open(string type, string? roomId)
    {
        output.Comma(ref first).Raw("{\"type\":"u8).Text(type);
        if (roomId is not null) output.Raw(",\"room_id\":"u8).Text(roomId);
        return output.Raw(",\"content\":"u8);
    }

    public void End(Positions end) =>
        output.Raw("],\"start\":"u8).Text(start.ToToken().ToString()).Raw(",\"end\":"u8).Text(end.ToToken().ToString()).Raw("}"u8);
}

internal static class LegacyEvent
{
    public static void Write(PooledBuffer output, string roomId, CachedEvent e, long nowMs, string? device, Membership reader)
    {
        output.Raw("{\"room_id\":"u8).Text(roomId).Raw(",\"user_id\":"u8).Text(e.Sender).Raw(","u8);
        e.WriteRest(output, nowMs, device, reader);
    }

    /// <summary>Synapse: the content names the user.</summary>
    public static void WritePresence(PooledBuffer output, string userId, PresenceRow row, long nowMs) =>
        output.Raw("{\"type\":\"m.presence\",\"sender\":"u8).Text(userId).Raw(",\"content\":{\"user_id\":"u8).Text(userId).Raw(","u8)
            .PresenceMembers(row, nowMs).Raw("}}"u8);
}

using Matrix.Events;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;
using Matrix.Sync.Users;

namespace Matrix.Sync.Answers;

/// <summary>Invitations and knocks: stripped state of rooms that the reader is not in. Spec: client-server-api/#stripped-state</summary>
internal sealed class StrippedStage(SyncState state, ISyncStore store)
{
    private static readonly string[] Types =
    [
        EventTypes.Create, EventTypes.Name, EventTypes.Avatar, EventTypes.Topic, EventTypes.JoinRules, EventTypes.CanonicalAlias, EventTypes.Encryption,
    ];

    public async Task RunAsync(AnswerPlan plan, Reader reader, CancellationToken ct)
    {
        plan.Invites.RemoveAll(own => !reader.User.AccountData.ShowsInviteOf(own.Sender));
        if (plan.Invites.Count == 0 && plan.Knocks.Count == 0) return;
        var found = new Dictionary<long, List<CachedEvent>>();
        var missing = new List<UserRoom>();
        var events = new Dictionary<long, CachedEvent>();
        using (state.Read())
            foreach (var own in plan.Invites.Concat(plan.Knocks))
                if (!TryFromMemory(own, found, events)) missing.Add(own);

        if (missing.Count > 0)
        {
            var keys = Types.Select(t => new StateKey(t, "")).Concat(missing.Select(m => new StateKey(EventTypes.Member, m.Sender)).Distinct()).ToList();
            foreach (var e in await store.CurrentStateAsync([.. missing.Select(m => m.RoomNid)], keys, ct)) Add(found, e.RoomNid, CachedEvent.Of(e));
            foreach (var e in await store.EventsByNidsAsync([.. missing.Select(m => m.EventNid)], ct)) events[e.EventNid] = CachedEvent.Of(e);
        }
        foreach (var own in plan.Invites) if (Make(own, found, events) is { } part) plan.InvitePlans.Add(part);
        foreach (var own in plan.Knocks) if (Make(own, found, events) is { } part) plan.KnockPlans.Add(part);
    }

    private bool TryFromMemory(UserRoom own, Dictionary<long, List<CachedEvent>> found, Dictionary<long, CachedEvent> events)
    {
        if (!state.Rooms.TryGetValue(own.RoomId, out var room) || room.Cache is not { } cache) return false;
        var membership = cache.Members.GetValueOrDefault(own.UserId)?.Event;
        var sender = cache.Members.GetValueOrDefault(own.Sender);
        if (membership is null || membership.Nid != own.EventNid || sender is { Event: null }) return false;
        events[own.EventNid] = membership;
        foreach (var type in Types) if (cache.Current(type) is { } e) Add(found, own.RoomNid, e);
        if (sender?.Event is { } by) Add(found, own.RoomNid, by);
        return true;
    }

    private static void Add(Dictionary<long, List<CachedEvent>> found, long roomNid, CachedEvent e)
    {
        if (!found.TryGetValue(roomNid, out var list)) found[roomNid] = list = [];
        list.Add(e);
    }

    private static StrippedPlan? Make(UserRoom own, Dictionary<long, List<CachedEvent>> found, Dictionary<long, CachedEvent> events)
    {
        // Who has gone in or away meanwhile is told so by the next answer.
        if (!events.TryGetValue(own.EventNid, out var membership) || membership.Membership is not (Membership.Invite or Membership.Knock)) return null;
        var part = new StrippedPlan(own.RoomId);
        foreach (var e in found.GetValueOrDefault(own.RoomNid) ?? [])
            if (e.Nid != membership.Nid && (!e.IsMember || e.StateKey == own.Sender)) part.State.Add(e);
        part.State.Add(membership);
        return part;
    }
}

using Matrix.Events;
using Matrix.Rooms;
using Matrix.Sync.Rooms;

namespace Matrix.Sync.Answers;

// The summary, who came and went, and members that are loaded lazily.
internal ref partial struct RoomPlanner
{
    /// <summary>Told when the state is, or when a membership or the room's name changed. Spec: openapi/client-server/sync.yaml, RoomSummary</summary>
    private readonly void PlanSummary(IReadOnlyList<Slot> window, int end)
    {
        var changed = plan.IsFull || cache.Floor > known;
        // Who came or went before the reader is no news to him.
        var sees = true;
        for (var j = end; j >= 0 && window[j].Event.Position > known; j--)
        {
            var e = window[j].Event;
            foreach (var move in window[j].Moves ?? []) if (move.Key.Type == EventTypes.Member) changed |= PlanMoved(move.Key.Key, sees);
            // Who had a name of the room has no heroes.
            changed |= e is { StateKey: "", Type: EventTypes.Name or EventTypes.CanonicalAlias };
            if (!e.IsMember) continue;
            changed = true;
            if (e.StateKey == reader.User.Id) sees &= e.Membership != Membership.Join || e.PrevMembership == Membership.Join;
            else if (!sees) continue;
            else if (e.Membership == Membership.Join && e.PrevMembership != Membership.Join) plan.NewMembers.Add(e.StateKey!);
            else if (e.Membership != Membership.Join && e.PrevMembership == Membership.Join) plan.GoneMembers.Add(e.StateKey!);
        }
        if (changed) plan.Summary = new RoomSummary(Heroes(), cache.Joined, cache.Invited);
    }

    /// <summary>Forks were resolved, and somebody's membership with them: what he is now counts.</summary>
    private readonly bool PlanMoved(string userId, bool isSeen)
    {
        if (!isSeen) return true;
        var isJoined = cache.Members.TryGetValue(userId, out var member) && member.Membership == Membership.Join;
        if (userId != reader.User.Id) (isJoined ? plan.NewMembers : plan.GoneMembers).Add(userId);
        return true;
    }

    private readonly string[]? Heroes()
    {
        if (HasText(EventTypes.Name, "name"u8) || (!request.IsSliding && HasText(EventTypes.CanonicalAlias, "alias"u8))) return null;
        const int Most = 5;
        var self = reader.User.Id;
        return [.. cache.Heroes().Where(user => user != self).Take(Most)];
    }

    private readonly bool HasText(string type, ReadOnlySpan<byte> member) =>
        cache.Current(type) is { } e && StateContent.String(e.Content, member) is { Length: > 0 };

    private static StateKey MemberKey(string userId) => new(EventTypes.Member, userId);

    /// <summary>Members that the timeline needs; the reader's own when the state is whole. Spec: client-server-api/#lazy-loading-room-members</summary>
    private readonly void PlanLazyMembers(bool atEnd)
    {
        if (!request.LazyMembers) return;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        if (plan.IsFull && !request.IsSliding && seen.Add(reader.User.Id)) Need(reader.User.Id, atEnd);
        foreach (var e in plan.Timeline)
        {
            if (seen.Add(e.Sender)) Need(e.Sender, atEnd);
            if (request.IsSliding && e.IsMember && seen.Add(e.StateKey!)) Need(e.StateKey!, atEnd);
        }
        if (request.IsSliding) return;
        foreach (var hero in plan.Summary?.Heroes ?? []) if (seen.Add(hero)) Need(hero, atEnd);
    }

    private readonly void Need(string userId, bool atEnd)
    {
        var key = MemberKey(userId);
        var value = atEnd && atNow is not null && atNow.TryGetValue(key, out var end) ? end : walk.Get(key);
        if (!value.IsNone) plan.LazyMembers.Add((userId, value));
    }
}

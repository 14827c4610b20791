using Matrix.Events;
using Matrix.Storage.Events;
using Matrix.Storage.Push;

namespace Matrix.Push.Evaluation;

/// <summary>
/// Finds in the database which rooms of a user count for his badge: those with something unread that his rules, as they are now, notify about, as /sync counts it.
/// Each room is looked through from its newest event back until one is found; <see cref="MaxEvents"/> at most.
/// </summary>
internal sealed class UnreadFinder(
    PusherStore store, EventReader events, RoomAudiences audiences, UserSettingsCache settings, ThreadRoots threads, TimeProvider clock)
{
    /// <summary>Events of a room that are looked at, as far as unthreaded receipts have not come; what is older counts as read.</summary>
    private const int MaxEvents = 1000;
    /// <summary>In most rooms one of so many decides.</summary>
    private const int FirstLook = 10;
    /// <summary>Rooms that are looked through to the end at a time.</summary>
    private const int RoomsPerLook = 16;

    /// <param name="roomIds">Null: all that the user is in or invited to.</param>
    /// <param name="users">All who have pushers here, the user among them.</param>
    /// <param name="upTo">Position in stream events as of which is counted.</param>
    public async Task<Dictionary<string, UnreadRoom>> FindAsync(
        string userId, IReadOnlyCollection<string>? roomIds, IReadOnlyCollection<string> users, long upTo, CancellationToken ct)
    {
        var found = new Dictionary<string, UnreadRoom>(StringComparer.Ordinal);
        var own = (await settings.OfAsync([userId], ct))[userId];
        var open = new List<Search>();
        foreach (var room in await store.ReadAsync(userId, roomIds, ct))
        {
            // Synapse: an invitation counts as a room.
            if (!room.IsInvited) open.Add(new(room, upTo + 1));
            else if (!own.Ignored.Contains(room.Sender)) found[room.RoomId] = new UnreadRoom { IsInvitation = true };
        }
        var look = new Look(userId, own, users, found);
        open = await LookAsync(look, open, FirstLook, ct);
        foreach (var rooms in open.Chunk(RoomsPerLook)) await LookAsync(look, rooms, MaxEvents - FirstLook, ct);
        return found;
    }

    /// <param name="Below">Everything from here on has been looked at.</param>
    private sealed record Search(RoomRead Room, long Below);

    private sealed record Look(string UserId, UserSettings Own, IReadOnlyCollection<string> Users, Dictionary<string, UnreadRoom> Found);

    /// <summary>Looks at so many events of each room; those rooms where that decides nothing.</summary>
    private async Task<List<Search>> LookAsync(Look look, IReadOnlyCollection<Search> open, int limit, CancellationToken ct)
    {
        var undecided = new List<Search>();
        if (open.Count == 0) return undecided;
        var newest = await store.NewestAsync(look.UserId, [.. open.Select(s => (s.Room, s.Below))], limit, ct);
        var stored = (await events.ByNidsAsync([.. newest.Where(n => n.MayCount).Select(n => n.EventNid)], ct)).ToDictionary(e => e.EventNid);
        var byRoom = newest.ToLookup(n => n.RoomNid);
        foreach (var search in open)
        {
            var looked = byRoom[search.Room.RoomNid].OrderByDescending(n => n.Pos).ToList();
            var isEnd = looked.Count < limit;
            if (await FirstAsync(look, search.Room, [.. looked.Where(n => n.MayCount && stored.ContainsKey(n.EventNid)).Select(n => (n.Pos, stored[n.EventNid]))], isEnd, ct) is { } room)
                look.Found[search.Room.RoomId] = room;
            else if (!isEnd) undecided.Add(search with { Below = looked[^1].Pos });
        }
        return undecided;
    }

    /// <param name="candidates">Newest first.</param>
    /// <param name="isEnd">There are no older ones.</param>
    private async Task<UnreadRoom?> FirstAsync(Look look, RoomRead room, IReadOnlyList<(long Pos, StoredEvent Event)> candidates, bool isEnd, CancellationToken ct)
    {
        if (candidates.Count == 0) return null;
        var audience = await audiences.OfAsync(room.RoomNid, look.Users, ct);
        if (audience.Levels is null) return null;
        var user = new PushUser(look.UserId, audience.Listeners.FirstOrDefault(l => l.UserId == look.UserId)?.DisplayName);
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        for (var i = 0; i < candidates.Count; i++)
        {
            var (pos, e) = candidates[i];
            var expires = audience.ExpiresTsMs(e.Pdu);
            if (expires < now || look.Own.Ignored.Contains(e.Pdu.Sender) || !look.Own.Rules.Evaluate(new PushEvent(e.Pdu, audience.Levels, audience.MemberCount), user).Notify) continue;
            var notice = new UnreadNotice(pos, room.RoomNid, e.Pdu.EventId, EventRelation.Read(e.Pdu), expires);
            if (pos <= room.Newest && notice.Thread is null) await threads.FindAsync([notice], ct);
            if (pos > room.Newest || pos > room.ReadUpTo(notice.Thread!)) return UnreadRoom.Of(notice, isEnd && i == candidates.Count - 1);
        }
        return null;
    }
}

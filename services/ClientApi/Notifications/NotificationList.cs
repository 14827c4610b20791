using Matrix.ClientApi.PushRules;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.AccountData;
using Matrix.Storage.Events;
using Matrix.Storage.Push;

namespace Matrix.ClientApi.Notifications;

/// <param name="Rule">That made it one.</param>
internal sealed record ListedNotification(StoredEvent Event, PushRule Rule, bool IsRead);

/// <param name="Next">Where the next page begins; null: this is the last.</param>
internal sealed record NotificationPage(IReadOnlyList<ListedNotification> Notifications, long? Next);

/// <summary>
/// The notifications of a user, newest first. Nothing is kept for them: the events of his rooms are judged again by the rules that he has now, as the
/// unread counts of <c>/sync</c> are. A message then costs no row per member, and changed rules change the list.
/// </summary>
internal sealed class NotificationList(
    NotificationReader reader, NotificationRooms rooms, EventReader events, EventVisibility visibility, PushRuleBook book, AccountDataStore accountData)
{
    private const int AtOnce = 100;
    /// <summary>Events looked at for one page; whoever wants more asks for the next page.</summary>
    private const int MaxScanned = 1_000;

    public async Task<NotificationPage> PageAsync(UserId user, long before, int limit, bool highlightsOnly, CancellationToken ct)
    {
        var rules = await book.LoadAsync(user, ct);
        var ignored = IgnoredUsers.Read(await accountData.GetAsync(user.Value, "", IgnoredUsers.Type, ct));
        var known = new Dictionary<long, NotificationRoom>();
        var found = new List<Found>();
        for (var scanned = 0; scanned < MaxScanned; scanned += AtOnce)
        {
            var candidates = await reader.CandidatesAsync(user.Value, before, AtOnce, ct);
            var stored = await events.ByNidsAsync(candidates.ConvertAll(c => c.EventNid), ct);
            var shown = await ShownAsync(user, stored.FindAll(e => !ignored.Contains(e.Pdu.Sender)), ct);
            await rooms.LoadAsync(user, shown.Values.Select(e => e.RoomNid), known, ct);
            foreach (var candidate in candidates)
            {
                before = candidate.Position;
                if (!shown.TryGetValue(candidate.EventNid, out var e) || !known.TryGetValue(e.RoomNid, out var room)) continue;
                if (Judge(e, candidate.Position, user, rules, room) is not { } outcome || (highlightsOnly && !outcome.Highlight)) continue;
                found.Add(new Found(e, candidate.Position, room, outcome.Rule!));
                if (found.Count == limit) return new NotificationPage(await ListAsync(found, ct), before);
            }
            if (candidates.Count < AtOnce) return new NotificationPage(await ListAsync(found, ct), null);
        }
        return new NotificationPage(await ListAsync(found, ct), before);
    }

    private readonly record struct Found(StoredEvent Event, long Position, NotificationRoom Room, PushRule Rule);

    /// <summary>With whether they have been read, each in its thread.</summary>
    private async Task<List<ListedNotification>> ListAsync(List<Found> found, CancellationToken ct)
    {
        var threads = await rooms.ThreadsAsync(found.ConvertAll(f => f.Event), ct);
        return [.. found.Select((f, i) => new ListedNotification(f.Event, f.Rule, f.Room.HasRead(threads[i], f.Position)))];
    }

    /// <summary>By nid. An invite is shown to whom it invites, whatever the room lets others see.</summary>
    private async Task<Dictionary<long, StoredEvent>> ShownAsync(UserId user, List<StoredEvent> stored, CancellationToken ct)
    {
        bool IsOwnInvite(StoredEvent e) => e.Pdu.Type == EventTypes.Member && e.Pdu.StateKey == user.Value && e.Pdu.Membership == Memberships.Invite;
        var visible = await visibility.FilterAsync(user, stored.FindAll(e => !IsOwnInvite(e)), ct);
        return visible.Where(e => !e.IsPruned).Concat(stored.Where(IsOwnInvite)).DistinctBy(e => e.EventNid).ToDictionary(e => e.EventNid);
    }

    /// <summary>Null: it notified nobody, or happened before he was in the room.</summary>
    private static PushOutcome? Judge(StoredEvent e, long position, UserId user, PushRuleSet rules, NotificationRoom room)
    {
        if (position < room.JoinedPosition && e.Pdu.StateKey != user.Value) return null;
        var outcome = rules.Evaluate(new PushEvent(e.Pdu, room.Levels, room.MemberCount), new PushUser(user.Value, room.DisplayName));
        return outcome.Notify ? outcome : null;
    }
}

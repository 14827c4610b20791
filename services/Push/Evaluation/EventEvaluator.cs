using Matrix.Events;
using Matrix.Rooms;
using Matrix.Storage.Events;

namespace Matrix.Push.Evaluation;

/// <summary>Who is to be told about an event.</summary>
internal sealed record Notified(string UserId, PushOutcome Outcome);

/// <summary>An event, and all who are to be told.</summary>
internal sealed record EvaluatedEvent(EventRow Row, Pdu Pdu, RoomAudience Audience, string? SenderName, IReadOnlyList<Notified> Users);

/// <summary>Evaluates push rules for users with pushers here. Reads the database only for rooms and users that it does not know yet.</summary>
internal sealed class EventEvaluator(RoomAudiences audiences, UserSettingsCache settings, UnreadRooms unread, SenderNames names, PushMetrics metrics)
{
    private const EventFlags NotForClients = EventFlags.Outlier | EventFlags.Rejected | EventFlags.SoftFailed;

    /// <summary>Of larger rooms it is certain that one member more or less does not make them rooms of two.</summary>
    private const int FewMembers = 4;

    /// <summary>Reads together what evaluating the events will ask for one by one.</summary>
    public async Task PrepareAsync(IReadOnlyList<EventRow> rows, IReadOnlyCollection<string> users, CancellationToken ct)
    {
        var senders = new HashSet<(long, string)>();
        foreach (var row in rows)
            if ((row.Flags & NotForClients) == 0 && (await audiences.OfAsync(row.RoomNid, users, ct)).Listeners.Any(l => l.UserId != row.Sender))
                senders.Add((row.RoomNid, row.Sender));
        await names.LoadAsync(senders, ct);
    }

    /// <summary>Null: nobody is to be told.</summary>
    public async Task<EvaluatedEvent?> EvaluateAsync(EventRow row, IReadOnlyCollection<string> users, CancellationToken ct)
    {
        // The room as it was: this event may change it for those that follow.
        var audience = await audiences.OfAsync(row.RoomNid, users, ct);
        names.Apply(row);
        if (ChangesRules(row, audience)) unread.Doubt(row.RoomId, audience.Listeners);
        if (row is { IsCurrentState: true, Type: EventTypes.Member or EventTypes.PowerLevels or EventTypes.Create or EventTypes.Name or EventTypes.CanonicalAlias or MessageRetention.EventType })
            audiences.Forget(row.RoomNid);
        else if ((row.Flags & EventFlags.StateMoved) != 0) audiences.Forget(row.RoomNid);
        if ((row.Flags & NotForClients) != 0 || RoomVersions.Find(row.RoomVersion) is not { } version) return null;
        var invited = row is { Type: EventTypes.Member, StateKey: { } target } && users.Contains(target) && audience.Listeners.All(l => l.UserId != target) ? target : null;
        if (audience.Listeners.Count == 0 && invited is null) return null;
        var pdu = Pdu.ReadTrusted(row.Json, version, row.EventId);
        if (invited is not null)
        {
            if (pdu.Membership != Memberships.Invite) invited = null;
            else audience = await WithTargetAsync(audience, row.RoomNid, invited, ct);
        }
        if (audience.Levels is null || audience.Listeners.Count == 0) return null;
        var notified = await EvaluateAsync(new PushEvent(pdu, audience.Levels, audience.MemberCount), row.Position, audience.Listeners, ct);
        return notified.Count == 0 ? null : new EvaluatedEvent(row, pdu, audience, await names.OfAsync(row.RoomNid, pdu.Sender, ct), notified);
    }

    /// <summary>What was unread may count, or not, after this: rules ask for power levels, and whether a room has two members; lifetimes end counting.</summary>
    private static bool ChangesRules(EventRow row, RoomAudience audience) =>
        (row.Flags & EventFlags.StateMoved) != 0
        || (row.IsCurrentState && (row.Type is EventTypes.PowerLevels or MessageRetention.EventType || (row.Type == EventTypes.Member && audience.MemberCount <= FewMembers)));

    private async Task<RoomAudience> WithTargetAsync(RoomAudience audience, long roomNid, string target, CancellationToken ct)
    {
        var whole = await audiences.ForTargetAsync(roomNid, target, ct);
        return whole with { Listeners = [.. audience.Listeners, .. whole.Listeners] };
    }

    private async Task<List<Notified>> EvaluateAsync(PushEvent e, long position, IReadOnlyList<Listener> listeners, CancellationToken ct)
    {
        metrics.Evaluated();
        var notified = new List<Notified>();
        var known = await settings.OfAsync(listeners.Select(l => l.UserId), ct);
        // Users who share a rule set and whom the event does not concern share an outcome, unless the rules ask for their names.
        Dictionary<PushRuleSet, PushOutcome>? shared = null;
        foreach (var listener in listeners)
        {
            if (listener.UserId == e.Event.Sender || position <= listener.JoinedPos) continue;
            var own = known[listener.UserId];
            if (own.Ignored.Contains(e.Event.Sender)) continue;
            PushOutcome outcome;
            if (own.Rules.AsksDisplayName || e.Concerns(listener.UserId))
            {
                outcome = own.Rules.Evaluate(e, new PushUser(listener.UserId, listener.DisplayName));
            }
            else if (!(shared ??= new(ReferenceEqualityComparer.Instance)).TryGetValue(own.Rules, out outcome))
            {
                outcome = shared[own.Rules] = own.Rules.Evaluate(e, PushUser.Anybody);
            }
            if (outcome.Notify) notified.Add(new Notified(listener.UserId, outcome));
        }
        return notified;
    }
}

using Matrix.Events;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Ingest;

// What the transaction needs of the turn, and redactions, which reach beyond the event itself.
internal sealed partial class IngestTurn
{
    /// <summary>More moves than this are not told one by one: readers know that the state moved, and read it again.</summary>
    private const int MaxMoves = 2_000;

    private readonly List<(int Event, long KeyNid, long Before, long Now)> moved = [];
    private readonly Dictionary<string, NewMembership> members = new(StringComparer.Ordinal);
    private readonly List<RedactionChange> redactions = [];
    private readonly Dictionary<string, string> redactedBy = new(StringComparer.Ordinal);

    public async ValueTask<RoomCommit> SealAsync(NewRoom? newRoom, CancellationToken ct)
    {
        await states.BackToCurrentAsync(ct);
        var state = new Dictionary<long, long>();
        foreach (var (_, key, _, now) in moved) state[key] = now;
        var gone = await MovesAsync(ct);
        room.Forget(state.Keys.ToHashSet(), redactions.Select(r => r.TargetNid).ToHashSet());
        if (mode == IngestMode.Join && snapshotBefore is not null) events[^1].Flags |= EventFlags.StateMoved;
        return new RoomCommit
        {
            RoomNid = room.RoomNid, RoomId = room.RoomId, Version = room.Version.Id, ExpectedHead = room.Head, NewRoom = newRoom, Events = events,
            Snapshots = states.Rows, CurrentSnapshot = room.CurrentSnapshot == snapshotBefore ? null : room.CurrentSnapshot, StateChanges = [.. state],
            Memberships = [.. members.Values], MembershipsGone = gone, Redactions = redactions, CreatedTsMs = nowMs,
            ExtremitiesGone = [.. tipsBefore.Where(t => !room.Extremities.Contains(t)).Select(t => t.EventNid)],
            ExtremitiesNew = [.. room.Extremities.Where(t => !tipsBefore.Contains(t)).Select(t => t.EventNid)],
        };
    }

    /// <summary>Memberships after the turn, and what events moved beyond their own keys; the users whose memberships are gone.</summary>
    private async ValueTask<List<string>> MovesAsync(CancellationToken ct)
    {
        var gone = new HashSet<string>(StringComparer.Ordinal);
        var moves = new Dictionary<NewEvent, List<StateMove>>();
        // By parts: the state of a large room that is joined need not be in memory as events.
        foreach (var part in moved.Chunk(2_000))
        {
            var read = new Dictionary<long, GraphEvent>();
            long[] wanted = [.. part.SelectMany(m => new[] { m.Before, m.Now }).Where(n => n != 0 && EventOf(n) is null).Distinct()];
            foreach (var e in await storage.Graph.EventsAsync(room.Version, wanted, ct)) read[e.EventNid] = e;
            Pdu? Of(long nid) => nid == 0 ? null : (EventOf(nid) ?? read.GetValueOrDefault(nid))?.Pdu;
            foreach (var (index, keyNid, before, now) in part)
            {
                var e = Of(now);
                if ((e ?? Of(before)) is not { StateKey: { } key } either) continue;
                if (either.Type == EventTypes.Member)
                {
                    if (e is null) { members.Remove(key); gone.Add(key); }
                    else
                    {
                        members[key] = new NewMembership(key, e.Membership ?? Memberships.Leave, e.Sender, now, index);
                        gone.Remove(key);
                    }
                }
                var by = events[index];
                if (now == by.EventNid || mode == IngestMode.Join) continue;
                if (!moves.TryGetValue(by, out var own)) moves[by] = own = [];
                if (own.Count < MaxMoves) own.Add(new StateMove(either.Type, key, keyNid, before, now, e?.EventId, e?.Sender, e?.Membership));
            }
        }
        foreach (var (by, own) in moves) (by.Flags, by.Moves) = (by.Flags | EventFlags.StateMoved, own);
        return [.. gone];
    }

    // ---------------------------------------------------------------- redactions

    /// <summary>The event without its content where a redaction of it came first.</summary>
    private async ValueTask<Pdu> RedactedOnArrivalAsync(Pdu e, Branch before, CancellationToken ct)
    {
        if (!redactedBy.TryGetValue(e.EventId, out var by) || states.At(before, await CreateKeyAsync(ct)) == 0) return e;
        var redaction = Find(by)?.Pdu ?? (await storage.Graph.EventsAsync(room.RoomNid, room.Version, [by], ct)).FirstOrDefault(r => !r.IsRejected)?.Pdu;
        return redaction is not null && AuthRules.MayRedact(redaction, e, await LevelsAtAsync(before, ct)) ? e.Redacted() : e;
    }

    /// <summary>Notes what the event redacts, if it may; the id of it.</summary>
    private async ValueTask<string?> RedactTargetAsync(Pdu e, Branch before, CancellationToken ct)
    {
        if (e.Type != EventTypes.Redaction || e.Redacts is not { } targetId || targetId == e.EventId) return null;
        if (!facts.TryGetValue(targetId, out var fact))
        {
            redactions.Add(new RedactionChange(targetId, 0, e.EventId, default));
            redactedBy.TryAdd(targetId, e.EventId);
            return targetId;
        }
        if (fact.RoomNid != room.RoomNid) return null;
        await StoredAsync([fact.EventNid], ct);
        if (EventOf(fact.EventNid)?.Pdu is not { } target || !AuthRules.MayRedact(e, target, await LevelsAtAsync(before, ct))) return null;
        redactions.Add(new RedactionChange(targetId, fact.EventNid, e.EventId, target.Redacted().Json));
        return targetId;
    }

    private async ValueTask<long> CreateKeyAsync(CancellationToken ct) => (await storage.StateKeys.GetOrAddAsync([new(EventTypes.Create, "")], ct))[0];

    private async ValueTask<PowerLevels> LevelsAtAsync(Branch state, CancellationToken ct)
    {
        var view = new BranchView(this, state);
        while (true)
        {
            var (create, levels) = (view.Get(new StateKey(EventTypes.Create, "")), view.Get(new StateKey(EventTypes.PowerLevels, "")));
            if (await view.ReadMissesAsync(ct)) continue;
            return PowerLevels.Read(create!, levels);
        }
    }
}

using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Policy;
using Matrix.Events;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Ingest;

// An event that takes its place in the graph: the state before it, what that says of it, and what it does to the room.
internal sealed partial class IngestTurn
{
    private readonly HashSet<StateKey> absentKeys = [];
    private IReadOnlySet<string> cited = new HashSet<string>();

    private async ValueTask<Outcome> TakeFullAsync(IncomingPdu incoming, EventFacts? known, long[] authNids, AuthVerdict verdict, CancellationToken ct)
    {
        var e = incoming.Pdu;
        if (e.Type == EventTypes.Create && room.Map.Get(KeyOf(e) ?? 0) is var create && create != 0 && create != known?.EventNid) return Outcome.Dropped("The room has its create event.");
        var prevNids = new List<long>(e.PrevEvents.Length);
        var missing = new List<string>();
        var parents = new List<Branch>(e.PrevEvents.Length);
        foreach (var id in e.PrevEvents)
        {
            if (!facts.TryGetValue(id, out var parent) || parent.IsOutlier && parent.RoomNid == room.RoomNid)
            {
                missing.Add(id);
                continue;
            }
            if (parent.RoomNid != room.RoomNid) return Outcome.Dropped($"The parent {id} belongs to another room.");
            prevNids.Add(parent.EventNid);
            Include(parents, await states.LoadAsync(parent.SnapshotNid, ct));
        }
        if (missing.Count > 0)
        {
            if (incoming.StatesBefore is null) return Outcome.Dropped($"The parent {missing[0]} is not known.");
            foreach (var told in incoming.StatesBefore) Include(parents, new Branch(null, ToldState(told)));
        }
        var before = await MergeAsync(parents, ct);

        if (verdict.Allowed) verdict = await CheckAtAsync(e, before, ct);
        var isSoftFailed = false;
        if (verdict.Allowed && mode == IngestMode.Live && !states.IsCurrent(before))
        {
            var now = await CheckAtAsync(e, states.Current, ct);
            if (!now.Allowed) (isSoftFailed, verdict) = (true, now);
        }
        if (verdict.Allowed && mode == IngestMode.Live && RoomPolicy.Concerns(e) && await PolicyAsync(ct) is { } policy && !policy.IsRecommended(e, server.Ed25519))
        {
            (isSoftFailed, verdict) = (true, AuthVerdict.Reject($"The room's policy server {policy.Server} does not recommend it."));
            if (room.PolicyAwaySince != 0) unasked.Add(e.EventId);
        }
        var flags = isSoftFailed ? EventFlags.SoftFailed : verdict.Allowed ? EventFlags.None : EventFlags.Rejected;
        var replacedNid = e.IsState ? states.At(before, KeyOf(e)!.Value) : 0;
        if (replacedNid != 0) await StoredAsync([replacedNid], ct);
        var body = await RedactedOnArrivalAsync(e, before, ct);
        if (!ReferenceEquals(body, e)) flags |= EventFlags.Redacted;

        var added = new NewEvent
        {
            EventNid = known?.EventNid ?? await storage.Numbers.Events.NextAsync(ct), WasOutlier = known is not null, Pdu = body, StateKeyNid = KeyOf(e),
            ReplacesNid = replacedNid == 0 ? null : replacedNid, Replaced = replacedNid == 0 ? null : EventOf(replacedNid)?.Pdu,
            PrevNids = [.. prevNids], AuthNids = authNids, MissingParents = missing, FillsGap = true, ReceivedTsMs = nowMs, Flags = flags,
            Place = !verdict.Allowed ? EventPlace.None : mode == IngestMode.Backfill ? EventPlace.Past : EventPlace.Stream,
            Redacts = verdict.Allowed ? await RedactTargetAsync(e, before, ct) : null,
        };
        Add(e, added);
        await PlaceAsync(e, added, before, ct);
        facts[e.EventId] = facts[e.EventId] with { SnapshotNid = added.SnapshotNid, Flags = added.Flags };
        return verdict.Allowed ? new(IngestVerdict.Accepted, null) : new(isSoftFailed ? IngestVerdict.SoftFailed : IngestVerdict.Rejected, verdict.Reason);
    }

    /// <summary>Parents mostly share a state.</summary>
    private static void Include(List<Branch> parents, Branch branch)
    {
        foreach (var p in parents) if (p.SnapshotNid is not null && p.SnapshotNid == branch.SnapshotNid) return;
        parents.Add(branch);
    }

    /// <summary>What another server says that the state is; events that are not here are left out.</summary>
    private StateLayer ToldState(IReadOnlyCollection<string> ids)
    {
        var map = new Dictionary<long, long>(ids.Count);
        foreach (var id in ids)
        {
            if (facts.TryGetValue(id, out var fact) && fact is { StateKeyNid: { } key, IsRejected: false } && fact.RoomNid == room.RoomNid) map[key] = fact.EventNid;
        }
        return new StateLayer(map);
    }

    private async ValueTask<Branch> MergeAsync(List<Branch> branches, CancellationToken ct)
    {
        if (branches.Count == 0) return Branch.Empty;
        if (branches.Count == 1) return branches[0];
        if (states.Remembered(branches) is { } snapshot) return await states.LoadAsync(snapshot, ct);
        var resolver = new RoomResolver(room, storage, context, this);
        var resolved = await states.SaveAsync(await resolver.ResolveAsync([.. branches.Select(states.LayerOf)], ct), ct);
        states.Remember(branches, resolved);
        return resolved;
    }

    // ---------------------------------------------------------------- judging by a state

    private async ValueTask<AuthVerdict> CheckAtAsync(Pdu e, Branch state, CancellationToken ct)
    {
        var view = new BranchView(this, state);
        while (true)
        {
            var verdict = AuthRules.Check(e, view, context);
            if (!await view.ReadMissesAsync(ct)) return verdict;
        }
    }

    /// <summary>A state as the rules read it; what is not at hand is noted and read before the rules are asked again.</summary>
    private sealed class BranchView(IngestTurn turn, Branch state) : IStateView
    {
        private readonly List<StateKey> keys = [];
        private readonly List<long> nids = [];

        public Pdu? Get(StateKey key)
        {
            if (!turn.storage.StateKeys.TryGet(key, out var keyNid))
            {
                if (!turn.absentKeys.Contains(key)) keys.Add(key);
                return null;
            }
            var nid = turn.states.At(state, keyNid);
            if (nid == 0) return null;
            if (turn.EventOf(nid) is { } e) return e.Pdu;
            if (turn.room.TryGetEntry(key, out var entry) && entry?.EventNid == nid) return entry.Pdu;
            nids.Add(nid);
            return null;
        }

        public async ValueTask<bool> ReadMissesAsync(CancellationToken ct)
        {
            if (keys.Count == 0 && nids.Count == 0) return false;
            if (keys.Count > 0)
            {
                var found = await turn.storage.StateKeys.FindAsync(keys, ct);
                for (var i = 0; i < found.Length; i++) if (found[i] == 0) turn.absentKeys.Add(keys[i]);
                keys.Clear();
            }
            await turn.StoredAsync(nids, ct);
            if (nids.Exists(n => turn.EventOf(n) is null)) throw new InvalidDataException($"The state of room {turn.room.RoomId} names an event that is not there.");
            nids.Clear();
            return true;
        }
    }

    private readonly RoomState room = room;
    private readonly RoomStorage storage = storage;

    // ---------------------------------------------------------------- taking its place

    private async ValueTask PlaceAsync(Pdu e, NewEvent added, Branch before, CancellationToken ct)
    {
        var changesState = e.IsState && (added.Flags & EventFlags.Rejected) == 0;
        var tips = added.Place == EventPlace.Stream ? await TipsAfterAsync(e, added, ct) : room.Extremities;
        if (changesState && states.IsCurrent(before) && tips.Count == 1 && tips[0].EventNid == added.EventNid)
        {
            // The usual: it follows what everybody sees, and nothing else does.
            var (key, nid) = (added.StateKeyNid!.Value, added.EventNid);
            moved.Add((events.Count - 1, key, await states.AdvanceAsync(key, nid, ct), nid));
            added.SnapshotNid = room.CurrentSnapshot;
            added.IsCurrentState = true;
            room.Extremities = tips;
            return;
        }
        var after = changesState ? await states.WithAsync(before, added.StateKeyNid!.Value, added.EventNid, ct)
            : before.SnapshotNid is null && before.Layer is { IsEmpty: false } told ? await states.SaveAsync(told, ct) : before;
        added.SnapshotNid = after.SnapshotNid;
        if (added.Place != EventPlace.Stream) return;

        room.Extremities = tips;
        tipStates[added.EventNid] = after.SnapshotNid;
        var current = await MergeAsync(await StatesOfTipsAsync(tips, ct), ct);
        foreach (var (key, was, now) in states.MakeCurrent(current)) moved.Add((events.Count - 1, key, was, now));
        if (!e.IsState) return;
        added.IsCurrentState = room.Map.Get(added.StateKeyNid!.Value) == added.EventNid;
        if (!added.IsCurrentState) added.Flags |= EventFlags.Superseded;
    }

    private readonly Dictionary<long, long?> tipStates = [];

    private async ValueTask<List<Branch>> StatesOfTipsAsync(IReadOnlyList<Extremity> tips, CancellationToken ct)
    {
        long[] unknown = [.. tips.Select(t => t.EventNid).Where(n => !tipStates.ContainsKey(n))];
        foreach (var f in await storage.Graph.FactsByNidsAsync([.. unknown.Where(n => !freshByNid.ContainsKey(n))], ct)) tipStates[f.EventNid] = f.SnapshotNid;
        foreach (var nid in unknown) if (freshByNid.TryGetValue(nid, out var e)) tipStates[nid] = facts[e.Pdu.EventId].SnapshotNid;
        var branches = new List<Branch>(tips.Count);
        foreach (var tip in tips) Include(branches, await states.LoadAsync(tipStates[tip.EventNid], ct));
        return branches;
    }

    /// <summary>The ends of the graph: without what the event cites, directly or through events that are no ends themselves, and with the event.</summary>
    private async ValueTask<IReadOnlyList<Extremity>> TipsAfterAsync(Pdu e, NewEvent added, CancellationToken ct)
    {
        var own = new Extremity(added.EventNid, e.EventId, e.Depth);
        if (mode == IngestMode.Join) return [own];
        var gone = new HashSet<long>(added.PrevNids);
        var todo = new List<long>();
        foreach (var id in e.PrevEvents) if (facts.TryGetValue(id, out var parent) && !parent.IsAccepted) todo.AddRange(parent.PrevNids);
        for (var depth = 0; todo.Count > 0 && depth < 100; depth++)
        {
            var next = new List<long>();
            foreach (var nid in todo.Where(gone.Add).ToArray())
                if (freshByNid.TryGetValue(nid, out var e2) && !facts[e2.Pdu.EventId].IsAccepted) next.AddRange(facts[e2.Pdu.EventId].PrevNids);
            foreach (var f in await storage.Graph.FactsByNidsAsync([.. todo.Where(n => !freshByNid.ContainsKey(n))], ct)) if (!f.IsAccepted) next.AddRange(f.PrevNids);
            todo = [.. next.Where(n => !gone.Contains(n))];
        }
        var tips = new List<Extremity>(room.Extremities.Count + 1);
        foreach (var tip in room.Extremities) if (!gone.Contains(tip.EventNid)) tips.Add(tip);
        // A parent that comes after its child is no end.
        if (!cited.Contains(e.EventId)) tips.Add(own);
        return tips;
    }
}

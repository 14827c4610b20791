using Matrix.Crypto;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Policy;
using Matrix.Events;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Ingest;

/// <summary>
/// What an actor makes of events of other servers between two commits: each is judged by its auth events, by the state before it, by the current
/// state and by the room's policy server, and takes its place in the graph. Parents come before children. Spec:
/// server-server-api/#checks-performed-on-receipt-of-a-pdu, 4 to 7
/// </summary>
internal sealed partial class IngestTurn(RoomState room, RoomStorage storage, ServerIdentity server, long nowMs, IngestMode mode, PolicyGate? policy) : INewEvents
{
    private readonly BranchStates states = new(room, storage);
    private readonly List<NewEvent> events = [];
    private readonly Dictionary<string, EventFacts> facts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, GraphEvent> fresh = new(StringComparer.Ordinal);
    private readonly Dictionary<long, GraphEvent> freshByNid = [];
    private readonly Dictionary<long, GraphEvent> stored = [];
    private readonly IReadOnlyList<Extremity> tipsBefore = room.Extremities;
    private readonly long? snapshotBefore = room.CurrentSnapshot;
    private readonly IAuthContext context = AuthContext.Of(server);

    public IReadOnlyList<NewEvent> Events => events;
    public GraphEvent? Find(string eventId) => fresh.GetValueOrDefault(eventId);
    public GraphEvent? Find(long eventNid) => freshByNid.GetValueOrDefault(eventNid);

    private bool IsOutlierMode => mode is IngestMode.Outliers or IngestMode.OutOfBand;

    /// <summary>One verdict for each event, in their order.</summary>
    public async ValueTask<IReadOnlyList<IngestedPdu>> RunAsync(IReadOnlyList<IncomingPdu> pdus, CancellationToken ct)
    {
        await LoadAsync(pdus, ct);
        pdus = await RecommendedAsync(pdus, ct);
        var verdicts = new IngestedPdu[pdus.Count];
        for (var i = 0; i < verdicts.Length; i++)
        {
            var (verdict, reason) = await TakeAsync(pdus[i], ct);
            verdicts[i] = new IngestedPdu(pdus[i].Pdu.EventId, verdict, reason, unasked.Contains(pdus[i].Pdu.EventId));
        }
        return verdicts;
    }

    private readonly record struct Outcome(IngestVerdict Verdict, string? Reason)
    {
        public static Outcome Dropped(string reason) => new(IngestVerdict.Dropped, reason);
    }

    /// <summary>What is known of everything that the events name, in a few queries for all of them.</summary>
    private async ValueTask LoadAsync(IReadOnlyList<IncomingPdu> pdus, CancellationToken ct)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        var auth = new HashSet<string>(StringComparer.Ordinal);
        var keys = new HashSet<StateKey>();
        foreach (var (pdu, statesBefore) in pdus)
        {
            ids.Add(pdu.EventId);
            ids.UnionWith(pdu.PrevEvents);
            auth.UnionWith(pdu.AuthEvents);
            if (pdu.Redacts is not null) ids.Add(pdu.Redacts);
            foreach (var state in statesBefore ?? []) ids.UnionWith(state);
            if (pdu.IsState) keys.Add(pdu.StatePair);
        }
        if (CreateId() is { } create) auth.Add(create);
        ids.UnionWith(auth);
        foreach (var chunk in ids.Chunk(10_000)) foreach (var f in await storage.Graph.FactsByIdsAsync(chunk, ct)) facts[f.EventId] = f;
        await storage.StateKeys.GetOrAddAsync([.. keys], ct);
        await StoredAsync(auth.Select(id => facts.GetValueOrDefault(id)).OfType<EventFacts>().Where(f => f.RoomNid == room.RoomNid).Select(f => f.EventNid), ct);
        foreach (var (target, by) in await storage.Graph.RedactionsOfAsync(room.RoomNid, [.. pdus.Select(p => p.Pdu.EventId)], ct)) redactedBy.TryAdd(target, by);
        cited = await storage.Graph.CitedAsync(room.RoomNid, [.. pdus.Select(p => p.Pdu.EventId)], ct);
    }

    /// <summary>Version 12: the room's id names its create event.</summary>
    private string? CreateId() => room.Version.RoomIdIsCreateHash && room.RoomId.Length > 1 ? string.Concat("$", room.RoomId.AsSpan(1)) : null;

    private async ValueTask StoredAsync(IEnumerable<long> nids, CancellationToken ct)
    {
        long[] missing = [.. nids.Where(n => !stored.ContainsKey(n) && !freshByNid.ContainsKey(n)).Distinct()];
        foreach (var chunk in missing.Chunk(5_000)) foreach (var e in await storage.Graph.EventsAsync(room.Version, chunk, ct)) stored[e.EventNid] = e;
    }

    private GraphEvent? EventOf(long nid) => freshByNid.GetValueOrDefault(nid) ?? stored.GetValueOrDefault(nid);

    private async ValueTask<Outcome> TakeAsync(IncomingPdu incoming, CancellationToken ct)
    {
        var e = incoming.Pdu;
        if (e.RoomId != room.RoomId) return Outcome.Dropped("The event belongs to another room.");
        var known = facts.GetValueOrDefault(e.EventId);
        if (known is not null && known.RoomNid != room.RoomNid) return Outcome.Dropped("An event of another room has this id.");
        if (known is not null && (!known.IsOutlier || IsOutlierMode) && !await IsRecommendedNowAsync(e, known, ct)) return new(IngestVerdict.Known, null);
        if (mode == IngestMode.OutOfBand) return await AddOutOfBandAsync(e, ct);
        if (mode is IngestMode.Live or IngestMode.Backfill && room.Extremities.Count == 0) return Outcome.Dropped("This server is not in the room.");

        if (ByAuthEvents(e, out var authNids) is { } fault) return fault;
        var verdict = CheckByAuthEvents(e, authNids);
        if (mode == IngestMode.Outliers)
        {
            Add(e, new NewEvent
            {
                EventNid = await storage.Numbers.Events.NextAsync(ct), Pdu = e, StateKeyNid = KeyOf(e), PrevNids = [], AuthNids = authNids,
                Flags = EventFlags.Outlier | (verdict.Allowed ? 0 : EventFlags.Rejected), Place = EventPlace.None, ReceivedTsMs = nowMs,
            });
            return verdict.Allowed ? new(IngestVerdict.Accepted, null) : new(IngestVerdict.Rejected, verdict.Reason);
        }
        return await TakeFullAsync(incoming, known, authNids, verdict, ct);
    }

    private long? KeyOf(Pdu e) => e.IsState && storage.StateKeys.TryGet(e.StatePair, out var nid) ? nid : null;

    /// <summary>Nids of the auth events, or why there is nothing to judge the event by.</summary>
    private Outcome? ByAuthEvents(Pdu e, out long[] nids)
    {
        nids = new long[e.AuthEvents.Length];
        for (var i = 0; i < nids.Length; i++)
        {
            if (!facts.TryGetValue(e.AuthEvents[i], out var fact)) return Outcome.Dropped($"The auth event {e.AuthEvents[i]} is not known.");
            if (fact.RoomNid != room.RoomNid) return Outcome.Dropped($"The auth event {e.AuthEvents[i]} belongs to another room.");
            nids[i] = fact.EventNid;
        }
        return null;
    }

    private AuthVerdict CheckByAuthEvents(Pdu e, long[] authNids)
    {
        var auth = new Pdu?[authNids.Length];
        for (var i = 0; i < auth.Length; i++) auth[i] = EventOf(authNids[i])?.Pdu;
        var verdict = AuthRules.CheckAuthEvents(e, auth, id => facts.TryGetValue(id, out var fact) && fact.IsRejected);
        if (!verdict.Allowed) return verdict;
        var create = CreateId() is { } id && facts.TryGetValue(id, out var known) && !known.IsRejected ? EventOf(known.EventNid)?.Pdu : null;
        return AuthRules.Check(e, new AuthEventsView(auth, create), context);
    }

    private sealed class AuthEventsView(Pdu?[] events, Pdu? create) : IStateView
    {
        public Pdu? Get(StateKey key)
        {
            foreach (var e in events) if (e is not null && e.StateKey == key.Key && e.Type == key.Type) return e;
            return key is { Type: EventTypes.Create, Key: "" } ? create : null;
        }
    }

    private void Add(Pdu e, NewEvent added)
    {
        events.Add(added);
        var entry = new GraphEvent(added.EventNid, (added.Flags & EventFlags.Rejected) != 0, added.Pdu);
        fresh[e.EventId] = entry;
        freshByNid[added.EventNid] = entry;
        room.Graph?.Add([(added.EventNid, e.EventId, e.AuthEvents)]);
        facts[e.EventId] = new EventFacts(
            added.EventNid, e.EventId, room.RoomNid, added.Flags, added.SnapshotNid, e.Depth, added.StateKeyNid, added.PrevNids, added.AuthNids);
    }

    private async ValueTask<Outcome> AddOutOfBandAsync(Pdu e, CancellationToken ct)
    {
        if (e.Type != EventTypes.Member || e.StateKey is not { } user || !server.IsMine(user)) return Outcome.Dropped("Not a membership of one of our users.");
        if (room.Extremities.Count > 0) return Outcome.Dropped("This server is in the room.");
        var nid = await storage.Numbers.Events.NextAsync(ct);
        members[user] = new NewMembership(user, e.Membership ?? Memberships.Leave, e.Sender, nid, events.Count);
        Add(e, new NewEvent
        {
            EventNid = nid, Pdu = e, StateKeyNid = KeyOf(e), PrevNids = [], AuthNids = [], Flags = EventFlags.Outlier, Place = EventPlace.Stream, ReceivedTsMs = nowMs,
        });
        return new(IngestVerdict.Accepted, null);
    }
}

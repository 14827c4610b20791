using Matrix.Crypto;
using Matrix.EventPersister.Ingest;
using Matrix.EventPersister.Policy;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Actors;

/// <summary>An event that somebody wants in a room.</summary>
/// <param name="StateKey">Null: no state event.</param>
internal readonly record struct EventIntent(string Type, string? StateKey, string Sender, ReadOnlyMemory<byte> Content)
{
    public string? Redacts { get; init; }
    /// <summary>What the redaction empties, when it is here and may be emptied.</summary>
    public StoredEvent? RedactionTarget { get; init; }
    /// <summary>Only application services choose it; null: now.</summary>
    public long? OriginServerTs { get; init; }
    public string? DeviceId { get; init; }
    public string? TxnId { get; init; }
    /// <summary>Sent by the user's own hand: he has read up to it. Spec: client-server-api/#marking-notifications-as-read</summary>
    public bool Reads { get; init; }
    /// <summary>The root of the thread that it reads; null: the main timeline.</summary>
    public string? ReadRoot { get; init; }
}

/// <summary>One of the three: an event was added, or it stands in the state already, or it is refused.</summary>
internal readonly record struct Appended(NewEvent? Event, string? ExistingId, MatrixError? Error)
{
    public string? EventId => Event?.Pdu.EventId ?? ExistingId;
    public static implicit operator Appended(MatrixError error) => new(null, null, error);
}

/// <summary>
/// What an actor builds between two commits: a chain of events on top of the room, each authorised by the state before it. Refused commands are
/// rolled back to their mark.
/// </summary>
internal sealed partial class RoomTurn(RoomState room, RoomStorage storage, ServerIdentity server, TimeProvider clock, PolicyGate? policy = null)
{
    /// <summary>Synapse: no more extremities than this are joined by one event.</summary>
    private const int MaxPrevEvents = 10;

    private readonly List<NewEvent> events = [];
    private readonly List<Undo> undo = [];
    private readonly List<RedactionChange> redactions = [];
    private readonly IReadOnlyList<Extremity> tipsBefore = room.Extremities;
    private Dictionary<(string Device, string Sender, string Txn), string>? transactions;
    private IngestTurn? ingest;

    /// <summary>The turn consists of events of other servers.</summary>
    public void Take(IngestTurn events) => ingest = events;

    private readonly record struct Undo(long StateKeyNid, long EventNid, StateKey Key, StateEntry? Entry, bool HadEntry);

    public RoomState Room => room;
    public RoomStorage Storage => storage;
    /// <summary>Null: a room that nobody else is in yet.</summary>
    public PolicyGate? Policy => policy;
    public ServerIdentity Server => server;
    public IReadOnlyList<NewEvent> Events => ingest?.Events ?? events;
    public long NowMs => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Transactions that this turn has answered with a new event; null: none.</summary>
    public IReadOnlyDictionary<(string Device, string Sender, string Txn), string>? Transactions => transactions;

    public readonly record struct Mark(int Events, int Undo, int Redactions, IReadOnlyList<Extremity> Tips);

    /// <summary>Takes everything back, where only messages were made: the room is then as it was before the turn. False: it is not.</summary>
    public bool TryUndo()
    {
        if (ingest is not null || undo.Count > 0) return false;
        RollBack(new Mark(0, 0, 0, tipsBefore));
        return true;
    }

    public Mark Here => new(events.Count, undo.Count, redactions.Count, room.Extremities);

    public void RollBack(Mark to)
    {
        if (transactions is not null)
            for (var i = to.Events; i < events.Count; i++)
                if (events[i].TxnId is { } txn) transactions.Remove((events[i].TxnDeviceId ?? "", events[i].Pdu.Sender, txn));
        for (var i = undo.Count - 1; i >= to.Undo; i--)
        {
            var u = undo[i];
            if (u.StateKeyNid != 0) room.Map.Set(u.StateKeyNid, u.EventNid);
            if (u.HadEntry) room.SetEntry(u.Key, u.Entry);
            else room.RemoveEntry(u.Key);
        }
        undo.RemoveRange(to.Undo, undo.Count - to.Undo);
        events.RemoveRange(to.Events, events.Count - to.Events);
        redactions.RemoveRange(to.Redactions, redactions.Count - to.Redactions);
        room.Extremities = to.Tips;
    }

    /// <summary>The event of the room's state as this turn has it; null: none.</summary>
    public async ValueTask<Pdu?> GetAsync(StateKey key, CancellationToken ct)
    {
        if (!room.TryGetEntry(key, out var entry))
        {
            await room.EnsureAsync([key], storage, ct);
            room.TryGetEntry(key, out entry);
        }
        return entry?.Pdu;
    }

    /// <summary>Membership of a user; null: never had one.</summary>
    public async ValueTask<string?> MembershipAsync(string userId, CancellationToken ct) =>
        (await GetAsync(new StateKey(EventTypes.Member, userId), ct))?.Membership;

    public PowerLevels PowerLevels =>
        PowerLevels.Read(room.Get(new StateKey(EventTypes.Create, ""))!, room.Get(new StateKey(EventTypes.PowerLevels, "")));

    /// <summary>Id of the event that this transaction made earlier in this turn.</summary>
    public string? TransactionOfTurn(string device, string sender, string txnId) =>
        transactions is not null && transactions.TryGetValue((device, sender, txnId), out var id) ? id : null;

    /// <summary>Adds an event, if the rules allow it.</summary>
    public async ValueTask<Appended> AppendAsync(EventIntent intent, CancellationToken ct)
    {
        var stateKey = intent.StateKey is null ? default(StateKey?) : new StateKey(intent.Type, intent.StateKey);
        long stateKeyNid = 0;
        StateEntry? replaced = null;
        if (stateKey is { } key)
        {
            if (!storage.StateKeys.TryGet(key, out stateKeyNid)) stateKeyNid = (await storage.StateKeys.GetOrAddAsync([key], ct))[0];
            await room.EnsureAsync([key], storage, ct);
            room.TryGetEntry(key, out replaced);
            if (replaced is not null && IsRepetition(replaced.Pdu, intent)) return new Appended(null, replaced.Pdu.EventId, null);
        }
        var authKeys = AuthRules.SelectKeys(intent.Type, intent.StateKey, intent.Sender, intent.Content.Span, room.Version);
        await room.EnsureAsync(authKeys, storage, ct);

        var (draft, prevNids, authNids) = await DraftAsync(intent, authKeys, ct);
        if (EventBuilder.TryBuild(draft, room.Version, server.ServerName, server.Key, server.Ed25519, out var pdu) is { } fault)
            return fault.TooLarge ? MatrixError.TooLarge(fault.Reason) : MatrixError.BadJson(fault.Reason);
        var verdict = await CheckAsync(pdu!, ct);
        if (!verdict.Allowed) return MatrixError.Forbidden(verdict.Reason ?? "Not allowed.");
        if (policy is not null && await HasPolicyAsync(ct))
        {
            (pdu, var refusal) = await policy.SignAsync(room, pdu!, ct);
            if (refusal is not null) return refusal;
        }

        var e = new NewEvent
        {
            EventNid = await storage.Numbers.Events.NextAsync(ct), Pdu = pdu!, StateKeyNid = stateKey is null ? null : stateKeyNid,
            ReplacesNid = replaced?.EventNid, Replaced = replaced?.Pdu, PrevNids = prevNids, AuthNids = authNids, ReceivedTsMs = NowMs,
            TxnDeviceId = intent.DeviceId, TxnId = intent.TxnId, IsCurrentState = stateKey is not null,
            Redacts = intent.RedactionTarget is null && intent.Redacts is null ? null : intent.Redacts,
            Flags = intent.Reads ? EventFlags.Reads : EventFlags.None, ReadRoot = intent.ReadRoot,
        };
        Apply(e, stateKey, intent);
        return new Appended(e, null, null);
    }

    private ValueTask<bool> HasPolicyAsync(CancellationToken ct)
    {
        if (room.TryGetEntry(RoomPolicy.StateKey, out var entry)) return ValueTask.FromResult(entry is not null);
        return ReadAsync();

        async ValueTask<bool> ReadAsync() => await GetAsync(RoomPolicy.StateKey, ct) is not null;
    }

    private void Apply(NewEvent e, StateKey? stateKey, in EventIntent intent)
    {
        events.Add(e);
        if (room.RoomId.Length == 0) room.RoomId = e.Pdu.RoomId;
        room.Extremities = TipsAfter(e);
        if (stateKey is { } key)
        {
            var had = room.TryGetEntry(key, out var before);
            undo.Add(new Undo(e.StateKeyNid!.Value, room.Map.Set(e.StateKeyNid.Value, e.EventNid), key, before, had));
            room.SetEntry(key, new StateEntry(e.StateKeyNid.Value, e.EventNid, e.Pdu));
        }
        if (intent.Redacts is not null) Redact(e, intent);
        if (intent.TxnId is not null) (transactions ??= [])[(intent.DeviceId ?? "", intent.Sender, intent.TxnId)] = e.Pdu.EventId;
    }

    private void Redact(NewEvent e, in EventIntent intent)
    {
        if (intent.RedactionTarget is not { } target)
        {
            redactions.Add(new RedactionChange(intent.Redacts!, 0, e.Pdu.EventId, default));
            return;
        }
        var bare = Redaction.Redact(target.Pdu.Json.Span, room.Version);
        redactions.Add(new RedactionChange(target.Pdu.EventId, target.EventNid, e.Pdu.EventId, bare));
        // State in memory must not keep what was removed.
        if (target.Pdu.StateKey is null) return;
        var key = target.Pdu.StatePair;
        if (!room.TryGetEntry(key, out var entry) || entry?.EventNid != target.EventNid) return;
        undo.Add(new Undo(0, 0, key, entry, true));
        room.SetEntry(key, entry with { Pdu = Pdu.ReadTrusted(bare, room.Version, target.Pdu.EventId) });
    }

    /// <summary>Synapse: who sets a state to what he has set it to already gets the event that did.</summary>
    private bool IsRepetition(Pdu current, in EventIntent intent) =>
        current.Sender == intent.Sender && intent.Redacts is null
        && CanonicalJson.ToArray(intent.Content.Span, out _, room.Version.StrictCanonicalJson) is { } canonical
        && current.Content.Span.SequenceEqual(canonical);

    private async ValueTask<AuthVerdict> CheckAsync(Pdu pdu, CancellationToken ct)
    {
        while (true)
        {
            room.ForgetMisses();
            var verdict = AuthRules.Check(pdu, room, AuthContext.Of(server));
            if (room.Misses is not { } misses) return verdict;
            // The rules looked at something that the selection of auth events does not name.
            await room.EnsureAsync(misses, storage, ct);
        }
    }

    private async ValueTask<(EventDraft Draft, long[] PrevNids, long[] AuthNids)> DraftAsync(
        EventIntent intent, IReadOnlyList<StateKey> authKeys, CancellationToken ct)
    {
        var tips = PrevTips();
        var prevIds = new string[tips.Count];
        var prevNids = new long[tips.Count];
        long depth = 0;
        for (var i = 0; i < prevIds.Length; i++)
        {
            (prevIds[i], prevNids[i]) = (tips[i].EventId, tips[i].EventNid);
            depth = Math.Max(depth, tips[i].Depth);
        }
        var authIds = new List<string>(authKeys.Count);
        var authNids = new List<long>(authKeys.Count);
        for (var i = 0; i < authKeys.Count; i++)
        {
            if (!room.TryGetEntry(authKeys[i], out var entry) || entry is null) continue;
            authIds.Add(entry.Pdu.EventId);
            authNids.Add(entry.EventNid);
        }
        var draft = new EventDraft(room.RoomId.Length == 0 ? null : room.RoomId, intent.Type, intent.StateKey, intent.Sender, intent.Content,
            intent.OriginServerTs ?? NowMs, Math.Min(depth + 1, CanonicalJson.MaxInteger), prevIds, [.. authIds], intent.Redacts);
        if (room.Version.ReferencesHaveHashes) draft = draft with { ReferenceHashOf = await HashesAsync(prevIds, authIds, ct) };
        return (draft, prevNids, [.. authNids]);
    }

    private IReadOnlyList<Extremity> PrevTips()
    {
        var tips = room.Extremities;
        return tips.Count <= MaxPrevEvents ? tips : [.. tips.OrderByDescending(t => t.Depth).Take(MaxPrevEvents)];
    }

    private List<Extremity> TipsAfter(NewEvent e)
    {
        var tips = new List<Extremity>(1);
        if (room.Extremities.Count > MaxPrevEvents)
            foreach (var tip in room.Extremities) if (!e.PrevNids.Contains(tip.EventNid)) tips.Add(tip);
        tips.Add(new Extremity(e.EventNid, e.Pdu.EventId, e.Pdu.Depth));
        return tips;
    }

    /// <summary>Versions 1 and 2 name events with their hashes.</summary>
    private async ValueTask<Func<string, byte[]?>> HashesAsync(string[] prevIds, List<string> authIds, CancellationToken ct)
    {
        var hashes = new Dictionary<string, byte[]>();
        foreach (var e in events) hashes[e.Pdu.EventId] = EventHashes.ReferenceHash(e.Pdu.Json.Span, room.Version);
        var missing = prevIds.Concat(authIds).Where(id => !hashes.ContainsKey(id)).Distinct().ToArray();
        foreach (var e in await storage.Events.ByIdsAsync(missing, ct)) hashes[e.Pdu.EventId] = EventHashes.ReferenceHash(e.Pdu.Json.Span, room.Version);
        return hashes.GetValueOrDefault;
    }
}

internal sealed class AuthContext(IEd25519 ed25519) : IAuthContext
{
    private static AuthContext? last;

    public IEd25519 Ed25519 { get; } = ed25519;

    public static AuthContext Of(ServerIdentity server) =>
        last is { } known && ReferenceEquals(known.Ed25519, server.Ed25519) ? known : last = new AuthContext(server.Ed25519);
}

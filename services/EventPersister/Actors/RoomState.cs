using Matrix.EventPersister.Ingest;
using Matrix.EventPersister.Policy;
using Matrix.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Actors;

/// <summary>
/// A room in memory, as its actor alone sees it: extremities, the whole current state as ints, and the events of the state that rules have asked
/// for. Changed in place by a turn; dropped when what the turn built was not committed.
/// </summary>
internal sealed class RoomState : IStateView
{
    /// <summary>More entries than this (members, mostly) and those of users are forgotten at the next turn.</summary>
    private const int MaxEntries = 5_000;

    /// <summary>State that nearly every event asks for; read with the room.</summary>
    public static readonly StateKey[] CoreKeys =
    [
        new(EventTypes.Create, ""), new(EventTypes.PowerLevels, ""), new(EventTypes.JoinRules, ""), new(EventTypes.HistoryVisibility, ""),
        new(EventTypes.GuestAccess, ""), RoomPolicy.StateKey,
    ];

    private readonly Dictionary<StateKey, StateEntry?> entries = [];
    private long entryBytes;

    public RoomState(LoadedRoom loaded)
    {
        (RoomNid, RoomId, Version, Head) = (loaded.Room.RoomNid, loaded.Room.RoomId, loaded.Room.Version, loaded.Room.Head);
        (CurrentSnapshot, Map, Chain, Extremities) = (loaded.Room.CurrentSnapshot, loaded.State, loaded.Chain, loaded.Extremities);
        foreach (var e in loaded.Entries) SetEntry(e.Pdu.StatePair, e);
    }

    /// <summary>A room that does not exist yet. Without an id: its create event gives it one.</summary>
    public RoomState(long roomNid, string? roomId, RoomVersion version)
    {
        (RoomNid, RoomId, Version) = (roomNid, roomId ?? "", version);
        (Map, Chain, Extremities) = (new StateMap(), SnapshotChain.Empty(), []);
        foreach (var key in CoreKeys) entries[key] = null;
    }

    public long RoomNid { get; }
    public string RoomId { get; set; }
    public RoomVersion Version { get; }
    /// <summary><c>rooms.head</c> as far as this process knows.</summary>
    public long Head { get; set; }
    public long? CurrentSnapshot { get; set; }
    public StateMap Map { get; }
    public SnapshotChain Chain { get; }
    public IReadOnlyList<Extremity> Extremities { get; set; }
    /// <summary>The room has no row yet.</summary>
    public bool IsNew { get; set; }
    /// <summary>The part of its auth graph that resolutions have touched; null: none has.</summary>
    public RoomGraph? Graph { get; set; }
    /// <summary>Snapshots that were resolved (their nids, joined) to the snapshot of the result.</summary>
    public Dictionary<string, long> Resolved { get; } = new(StringComparer.Ordinal);

    /// <summary>Ticks of the clock when the room's policy server gave no answer; 0: it did, or was not asked.</summary>
    public long PolicyAwaySince { get; set; }

    /// <summary>A user of this server who was in the room when that was looked at last; null: nobody, or nobody looked.</summary>
    public string? Resident { get; set; }

    /// <summary>Keys that were asked for and not loaded since <see cref="ForgetMisses"/>; null: none.</summary>
    public List<StateKey>? Misses { get; private set; }

    public long Bytes => 512 + Map.Bytes + Chain.Bytes + entryBytes + (entries.Count * 128L) + (Graph?.Bytes ?? 0) + (Resolved.Count * 128L);

    /// <summary>Of what is loaded. A key that is not is remembered in <see cref="Misses"/>: the verdict must be asked for again with it.</summary>
    public Pdu? Get(StateKey key)
    {
        if (entries.TryGetValue(key, out var entry)) return entry?.Pdu;
        (Misses ??= []).Add(key);
        return null;
    }

    public void ForgetMisses() => Misses = null;

    public bool TryGetEntry(StateKey key, out StateEntry? entry) => entries.TryGetValue(key, out entry);

    public void SetEntry(StateKey key, StateEntry? entry)
    {
        if (entries.TryGetValue(key, out var old) && old is not null) entryBytes -= Size(old);
        entries[key] = entry;
        if (entry is not null) entryBytes += Size(entry);
    }

    public void RemoveEntry(StateKey key)
    {
        if (entries.Remove(key, out var old) && old is not null) entryBytes -= Size(old);
    }

    /// <summary>The state changed at those keys, or content of those events was removed: they are read again when they are asked for.</summary>
    public void Forget(IReadOnlySet<long> stateKeyNids, IReadOnlySet<long> eventNids)
    {
        foreach (var (key, entry) in entries.ToArray())
            if (entry is null ? stateKeyNids.Count > 0 : stateKeyNids.Contains(entry.StateKeyNid) || eventNids.Contains(entry.EventNid)) RemoveEntry(key);
    }

    /// <summary>The events of the state that are held.</summary>
    public long[] EntryNids => [.. entries.Values.OfType<StateEntry>().Select(e => e.EventNid)];

    /// <summary>Follows what others did to the room, when they left its state as it is. False: it is to be read anew.</summary>
    public bool Follow(RoomGlance now)
    {
        if (now.CurrentSnapshot != CurrentSnapshot) return false;
        (Head, Extremities) = (now.Head, now.Extremities);
        foreach (var (key, entry) in entries.ToArray())
            if (entry is not null && now.Redacted.Contains(entry.EventNid)) RemoveEntry(key);
        return true;
    }

    private static long Size(StateEntry entry) => entry.Pdu.Json.Length + 512;

    /// <summary>Between turns.</summary>
    public void Trim()
    {
        if (entries.Count <= MaxEntries) return;
        foreach (var key in entries.Keys.Where(k => k.Key.Length > 0).ToList()) RemoveEntry(key);
    }

    /// <summary>Loads what is not loaded of <paramref name="keys"/>, absence included.</summary>
    public ValueTask EnsureAsync(IReadOnlyList<StateKey> keys, RoomStorage storage, CancellationToken ct)
    {
        List<StateKey>? missing = null;
        for (var i = 0; i < keys.Count; i++) if (!entries.ContainsKey(keys[i])) (missing ??= []).Add(keys[i]);
        return missing is null ? ValueTask.CompletedTask : LoadAsync(missing, storage, ct);
    }

    private async ValueTask LoadAsync(List<StateKey> keys, RoomStorage storage, CancellationToken ct)
    {
        var nids = await storage.StateKeys.FindAsync(keys, ct);
        var wanted = new List<long>(keys.Count);
        for (var i = 0; i < nids.Length; i++)
        {
            var eventNid = nids[i] == 0 ? 0 : Map.Get(nids[i]);
            if (eventNid == 0) entries[keys[i]] = null;
            else wanted.Add(eventNid);
        }
        if (wanted.Count == 0) return;
        foreach (var entry in await storage.Loader.EntriesAsync([.. wanted], Version, ct)) SetEntry(entry.Pdu.StatePair, entry);
    }
}

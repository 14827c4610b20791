using System.Runtime.InteropServices;
using Matrix.EventPersister.Actors;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Ingest;

/// <summary>
/// The states that a turn of foreign events meets: read when they are needed, written to the room's chain of snapshots when they are new. While it runs,
/// the chain's tip may be any of them; at the end it is the current state again, as everybody expects who reads the room.
/// </summary>
internal sealed class BranchStates(RoomState room, RoomStorage storage)
{
    private const int MaxMemos = 64;

    private readonly Dictionary<long, Branch> held = [];
    private readonly List<SnapshotRow> rows = [];
    /// <summary>States that were the current one in this turn, and what leads back to them from the one after.</summary>
    private readonly List<(long? Snapshot, KeyValuePair<long, long>[] Back)> past = [];
    private long? tip = room.CurrentSnapshot;
    private StateLayer? current;

    public IReadOnlyList<SnapshotRow> Rows => rows;

    public Branch Current => new(room.CurrentSnapshot, null);

    public bool IsCurrent(Branch branch) => branch.Layer is null || (branch.SnapshotNid is not null && branch.SnapshotNid == room.CurrentSnapshot);

    public long At(Branch branch, long keyNid) => IsCurrent(branch) ? room.Map.Get(keyNid) : branch.Layer![keyNid];

    public StateLayer LayerOf(Branch branch) => IsCurrent(branch) ? current ??= new StateLayer(new Dictionary<long, long>(room.Map.Pairs())) : branch.Layer!;

    public async ValueTask<Branch> LoadAsync(long? snapshotNid, CancellationToken ct)
    {
        if (snapshotNid is not { } nid) return Branch.Empty;
        if (nid == room.CurrentSnapshot) return Current;
        if (held.TryGetValue(nid, out var known)) return known;
        return held[nid] = new Branch(nid, WasCurrent(nid) ?? new StateLayer(await storage.States.LoadAsync(nid, ct)));
    }

    private StateLayer? WasCurrent(long nid)
    {
        if (!past.Exists(p => p.Snapshot == nid)) return null;
        var layer = LayerOf(Current);
        for (var i = past.Count - 1; i >= 0; i--)
        {
            layer = layer.With(past[i].Back);
            if (past[i].Snapshot == nid) break;
        }
        return layer;
    }

    /// <summary>The state with one event more, stored.</summary>
    public async ValueTask<Branch> WithAsync(Branch before, long keyNid, long eventNid, CancellationToken ct)
    {
        KeyValuePair<long, long>[] change = [new(keyNid, eventNid)];
        var after = LayerOf(before).With(change);
        return before.SnapshotNid == tip && tip is not null ? await AppendAsync(change, after, ct) : await SaveAsync(after, ct);
    }

    /// <summary>Stores a state, unless it is the one that the chain ends with.</summary>
    public async ValueTask<Branch> SaveAsync(StateLayer state, CancellationToken ct)
    {
        var end = await LoadAsync(tip, ct);
        var changes = LayerOf(end).ChangesTo(state);
        return changes.Count == 0 && tip is not null ? end : await AppendAsync([.. changes], state, ct);
    }

    private async ValueTask<Branch> AppendAsync(KeyValuePair<long, long>[] changes, StateLayer state, CancellationToken ct)
    {
        var row = room.Chain.Append(await storage.Numbers.Snapshots.NextAsync(ct), room.RoomNid, changes);
        rows.Add(row);
        tip = row.SnapshotNid;
        return held[row.SnapshotNid] = new Branch(row.SnapshotNid, state);
    }

    /// <summary>A state event that follows the current state becomes part of it: no map is copied. What was there before; 0: nothing.</summary>
    public async ValueTask<long> AdvanceAsync(long keyNid, long eventNid, CancellationToken ct)
    {
        await BackToCurrentAsync(ct);
        var change = new KeyValuePair<long, long>(keyNid, eventNid);
        var row = room.Chain.Append(await storage.Numbers.Snapshots.NextAsync(ct), room.RoomNid, new ReadOnlySpan<KeyValuePair<long, long>>(in change));
        rows.Add(row);
        var before = room.Map.Set(keyNid, eventNid);
        past.Add((room.CurrentSnapshot, [new(keyNid, before)]));
        current = null;
        room.CurrentSnapshot = tip = row.SnapshotNid;
        return before;
    }

    /// <summary>Makes a stored state the current one; what changed, each with the event that was there before.</summary>
    public List<(long KeyNid, long Before, long Now)> MakeCurrent(Branch branch)
    {
        var moved = new List<(long, long, long)>();
        if (IsCurrent(branch)) return moved;
        var changes = LayerOf(Current).ChangesTo(branch.Layer!);
        if (changes.Count == 0 && room.CurrentSnapshot is not null) return moved;
        var back = new KeyValuePair<long, long>[changes.Count];
        for (var i = 0; i < back.Length; i++)
        {
            var (key, value) = changes[i];
            back[i] = new(key, room.Map.Set(key, value));
            moved.Add((key, back[i].Value, value));
        }
        past.Add((room.CurrentSnapshot, back));
        current = branch.Layer;
        room.CurrentSnapshot = branch.SnapshotNid;
        return moved;
    }

    /// <summary>Ends the chain with the current state.</summary>
    public async ValueTask BackToCurrentAsync(CancellationToken ct)
    {
        if (tip == room.CurrentSnapshot) return;
        var changes = (await LoadAsync(tip, ct)).Layer!.ChangesTo(LayerOf(Current));
        var row = room.Chain.Append(await storage.Numbers.Snapshots.NextAsync(ct), room.RoomNid, CollectionsMarshal.AsSpan(changes));
        rows.Add(row);
        past.Add((room.CurrentSnapshot, []));
        foreach (var (key, snapshot) in room.Resolved.ToArray()) if (snapshot == room.CurrentSnapshot) room.Resolved[key] = row.SnapshotNid;
        room.CurrentSnapshot = tip = row.SnapshotNid;
    }

    /// <summary>What a resolution of those states came to earlier; null: not remembered.</summary>
    public long? Remembered(IReadOnlyList<Branch> branches) =>
        KeyOf(branches) is { } key && room.Resolved.TryGetValue(key, out var snapshot) ? snapshot : null;

    public void Remember(IReadOnlyList<Branch> branches, Branch resolved)
    {
        if (KeyOf(branches) is not { } key || resolved.SnapshotNid is not { } snapshot) return;
        if (room.Resolved.Count >= MaxMemos) room.Resolved.Clear();
        room.Resolved[key] = snapshot;
    }

    private static string? KeyOf(IReadOnlyList<Branch> branches) =>
        branches.Any(static b => b.SnapshotNid is null) ? null : string.Join(',', branches.Select(static b => b.SnapshotNid!.Value).Order());
}

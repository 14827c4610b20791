namespace Matrix.EventPersister.Ingest;

/// <summary>
/// A state as ints (state_key_nid to event_nid): a whole map that others share, and what differs from it. Never changed once made, so that a branch of a
/// large room with many events of state holds one map.
/// </summary>
internal sealed class StateLayer(IReadOnlyDictionary<long, long> ground, IReadOnlyDictionary<long, long> over)
{
    private const int MaxOver = 512;
    private static readonly Dictionary<long, long> Nothing = [];

    public static StateLayer Empty { get; } = new(Nothing, Nothing);

    public StateLayer(IReadOnlyDictionary<long, long> map) : this(map, Nothing) { }

    public bool IsEmpty => ground.Count == 0 && over.Count == 0;
    private IReadOnlyDictionary<long, long> Ground => ground;
    private IReadOnlyDictionary<long, long> Over => over;

    /// <summary>The event at that key; 0: none.</summary>
    public long this[long key] => over.TryGetValue(key, out var value) ? value : ground.GetValueOrDefault(key);

    /// <summary>All pairs that are set.</summary>
    public IEnumerable<KeyValuePair<long, long>> Pairs()
    {
        foreach (var pair in ground) if (!over.ContainsKey(pair.Key)) yield return pair;
        foreach (var pair in over) if (pair.Value != 0) yield return pair;
    }

    /// <summary>This state with changes; event 0 removes.</summary>
    public StateLayer With(IReadOnlyCollection<KeyValuePair<long, long>> changes)
    {
        if (changes.Count == 0) return this;
        if (over.Count + changes.Count <= MaxOver)
        {
            var more = new Dictionary<long, long>(over);
            foreach (var (key, value) in changes) more[key] = value;
            return new StateLayer(ground, more);
        }
        var map = new Dictionary<long, long>(Pairs());
        foreach (var (key, value) in changes)
        {
            if (value == 0) map.Remove(key);
            else map[key] = value;
        }
        return new StateLayer(map);
    }

    /// <summary>What has to change here for it to become <paramref name="to"/>; event 0 removes.</summary>
    public List<KeyValuePair<long, long>> ChangesTo(StateLayer to)
    {
        var changes = new List<KeyValuePair<long, long>>();
        if (ReferenceEquals(ground, to.Ground))
        {
            foreach (var key in over.Keys.Concat(to.Over.Keys).Distinct()) if (this[key] != to[key]) changes.Add(new(key, to[key]));
            return changes;
        }
        foreach (var (key, value) in to.Pairs()) if (this[key] != value) changes.Add(new(key, value));
        foreach (var (key, _) in Pairs()) if (to[key] == 0) changes.Add(new(key, 0));
        return changes;
    }
}

/// <summary>The state after some events of a room.</summary>
/// <param name="SnapshotNid">Null: the empty state.</param>
/// <param name="Layer">Null: the room's current state, which the actor holds.</param>
internal sealed record Branch(long? SnapshotNid, StateLayer? Layer)
{
    public static Branch Empty { get; } = new(null, StateLayer.Empty);
}

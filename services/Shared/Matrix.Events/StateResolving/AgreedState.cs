namespace Matrix.Events;

/// <summary>What all states that are resolved have in common: the keys at which they all have the same event. It need not be held as ids.</summary>
public interface IAgreedState
{
    /// <summary>Id of the event at that key; null when the states have none, or differ.</summary>
    string? Get(StateKey key);

    /// <summary>Ids of all of it; rarely asked for.</summary>
    IEnumerable<string> All { get; }
}

/// <summary>Whole states, split into what they agree on and where they differ.</summary>
internal sealed class SplitStates : IAgreedState
{
    private readonly Dictionary<StateKey, string> agreed = [];
    private readonly Dictionary<StateKey, string>[] conflicts;

    public SplitStates(IReadOnlyList<IReadOnlyDictionary<StateKey, string>> sets)
    {
        var first = sets[0];
        agreed.EnsureCapacity(first.Count);
        var disputed = new HashSet<StateKey>();
        foreach (var (key, id) in first)
        {
            var same = true;
            for (var i = 1; i < sets.Count && same; i++) same = sets[i].TryGetValue(key, out var other) && other == id;
            if (same) agreed.Add(key, id);
            else disputed.Add(key);
        }
        for (var i = 1; i < sets.Count; i++)
        {
            // Keys that the first set lacks: looked for only where the count says that there are some.
            if (sets[i].Count == agreed.Count + disputed.Count(sets[i].ContainsKey)) continue;
            foreach (var key in sets[i].Keys)
            {
                if (!agreed.ContainsKey(key)) disputed.Add(key);
            }
        }
        conflicts = new Dictionary<StateKey, string>[sets.Count];
        for (var i = 0; i < conflicts.Length; i++)
        {
            conflicts[i] = [];
            foreach (var key in disputed) if (sets[i].TryGetValue(key, out var id)) conflicts[i].Add(key, id);
        }
    }

    public IReadOnlyList<IReadOnlyDictionary<StateKey, string>> Conflicts => conflicts;
    public bool Any => conflicts.Any(static c => c.Count > 0);
    public string? Get(StateKey key) => agreed.GetValueOrDefault(key);
    public IEnumerable<string> All => agreed.Values;

    /// <summary>The agreed state with what was resolved; this object must not be used any more.</summary>
    public IReadOnlyDictionary<StateKey, string> With(Dictionary<StateKey, string> resolved)
    {
        foreach (var (key, id) in resolved) agreed.TryAdd(key, id);
        return agreed;
    }
}

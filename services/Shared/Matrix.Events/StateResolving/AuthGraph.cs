namespace Matrix.Events;

/// <summary>
/// The part of a room's auth graph that resolutions have touched, with ids as small integers. Nodes are added as they are met; events are fetched
/// when they are asked for, once. What is not known is asked for again the next time. Not thread safe.
/// </summary>
public sealed class AuthGraph(Func<string, Pdu?> fetch, Func<string, IReadOnlyList<string>?>? authEventsOf)
{
    private const int BytesPerNode = 240, BytesPerEdge = 4;
    private static readonly int[] None = [];
    private int _edges;

    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal);
    private readonly List<Node> _nodes = [];

    private sealed class Node(string id)
    {
        public readonly string Id = id;
        public Pdu? Event;
        public int[]? AuthEvents;
    }

    /// <summary>Nodes met so far; every number is smaller.</summary>
    public int Count => _nodes.Count;

    /// <summary>Bytes of nodes and edges, about; events that are held not counted.</summary>
    public long Bytes => (_nodes.Count * (long)BytesPerNode) + (_edges * (long)BytesPerEdge);

    /// <summary>Takes an event's auth events in, so that they need not be asked for.</summary>
    public void Add(string eventId, IReadOnlyList<string> authEventIds)
    {
        var node = _nodes[Number(eventId)];
        if (node.AuthEvents is null) node.AuthEvents = Numbers(authEventIds);
    }

    /// <summary>Whether an event's auth events are known here.</summary>
    public bool Knows(string eventId) => _numbers.TryGetValue(eventId, out var number) && _nodes[number].AuthEvents is not null;

    /// <summary>Lets go of the events; the graph stays.</summary>
    public void ForgetEvents()
    {
        foreach (var node in _nodes) node.Event = null;
    }

    internal int Number(string eventId)
    {
        if (_numbers.TryGetValue(eventId, out var number)) return number;
        number = _nodes.Count;
        _numbers.Add(eventId, number);
        _nodes.Add(new Node(eventId));
        return number;
    }

    internal string Id(int number) => _nodes[number].Id;

    /// <summary>Null: the event is not known.</summary>
    internal Pdu? Event(int number)
    {
        var node = _nodes[number];
        return node.Event ??= fetch(node.Id);
    }

    /// <summary>Auth events of an event, in its own order; none when it is not known.</summary>
    internal int[] AuthEvents(int number)
    {
        var node = _nodes[number];
        if (node.AuthEvents is { } known) return known;
        var ids = node.Event is null && authEventsOf is not null ? authEventsOf(node.Id) : Event(number)?.AuthEvents;
        return ids is null ? None : node.AuthEvents = Numbers(ids);
    }

    private int[] Numbers(IReadOnlyList<string> ids)
    {
        if (ids.Count == 0) return None;
        var numbers = new int[ids.Count];
        for (var i = 0; i < numbers.Length; i++) numbers[i] = Number(ids[i]);
        _edges += numbers.Length;
        return numbers;
    }

    /// <summary>Everything reachable from <paramref name="from"/>, these included, without going into <paramref name="stop"/>.</summary>
    internal NumberSet Reach(IEnumerable<int> from, NumberSet? stop = null)
    {
        var reached = new NumberSet();
        var todo = new Stack<int>();
        foreach (var start in from)
        {
            if (stop?.Contains(start) != true && reached.Add(start)) todo.Push(start);
        }
        while (todo.TryPop(out var number))
        {
            foreach (var auth in AuthEvents(number))
            {
                if (stop?.Contains(auth) != true && reached.Add(auth)) todo.Push(auth);
            }
        }
        return reached;
    }

    /// <summary>
    /// The events on all paths between two members of <paramref name="ends"/>, ends included. Spec: rooms/v12#definitions, conflicted state subgraph
    /// </summary>
    internal NumberSet Between(NumberSet ends)
    {
        var below = Reach(ends);
        var parents = new Dictionary<int, List<int>>();
        foreach (var number in below)
        {
            foreach (var auth in AuthEvents(number))
            {
                if (!parents.TryGetValue(auth, out var list)) parents[auth] = list = [];
                list.Add(number);
            }
        }
        // Everything in below is reached from an end; what also reaches one lies on a path.
        var between = new NumberSet();
        var todo = new Stack<int>();
        foreach (var end in ends)
        {
            if (between.Add(end)) todo.Push(end);
        }
        while (todo.TryPop(out var number))
        {
            if (!parents.TryGetValue(number, out var list)) continue;
            foreach (var parent in list)
            {
                if (between.Add(parent)) todo.Push(parent);
            }
        }
        return between;
    }

    /// <summary>
    /// Events that are in the auth chain of some set and not of every one, the conflicted state itself left out. <paramref name="conflicted"/>
    /// lists what each set has of its own, <paramref name="unconflicted"/> what all have.
    /// </summary>
    // Synapse: the events of a state count as part of its auth chain (the spec's chain holds only what they cite).
    internal NumberSet AuthDifference(IReadOnlyList<List<int>> conflicted, Func<int, bool> isUnconflicted, IEnumerable<int> unconflicted)
    {
        var difference = new NumberSet();
        NumberSet? common = null;
        foreach (var own in conflicted)
        {
            var chain = Reach(own);
            difference.UnionWith(chain);
            if (common is null) common = chain;
            else common.IntersectWith(chain);
        }
        difference.ExceptWith(common!);
        foreach (var own in conflicted) difference.ExceptWith(new NumberSet(own));
        if (difference.Count == 0) return difference;

        // What every set reaches is common, with all below it. Most of the rest is found to be common through the few unconflicted events
        // among it; only when that does not do, the chains of the whole unconflicted state are walked.
        var shared = Reach(difference.Where(isUnconflicted).ToArray(), stop: common);
        difference.ExceptWith(shared);
        if (difference.Count == 0) return difference;
        common!.UnionWith(shared);
        difference.ExceptWith(Reach(unconflicted, stop: common));
        return difference;
    }
}

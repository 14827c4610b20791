using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>State resolution of room versions 2 to 11 and, with its three changes, of version 12. One instance per resolution.</summary>
/// <param name="sets">What each state has at the keys on which they differ.</param>
internal sealed class ResolutionV2(
    RoomVersion version, IReadOnlyList<IReadOnlyDictionary<StateKey, string>> sets, IAgreedState agreed, AuthGraph graph, Func<string, bool> isRejected,
    IAuthContext? context) : IStateView
{
    private readonly List<List<int>> _own = [];
    private readonly NumberSet _conflicted = new();

    // The state built so far, on top of the agreed one unless that is left out (v2.1), and the event that is being checked against it.
    private readonly Dictionary<StateKey, int> _resolved = [];
    private Pdu? _checked;

    /// <summary>What the state has at the keys on which the sets differ; a key of which nothing is left is not among them.</summary>
    public Dictionary<StateKey, string> Resolve()
    {
        Number();
        var full = FullConflictedSet();
        var power = PowerEvents(full);
        foreach (var number in PowerOrder(power)) Apply(number);

        full.ExceptWith(power);
        foreach (var number in MainlineOrder(full)) Apply(number);

        // Step 5: the unconflicted state replaces what was resolved for the same key.
        var result = new Dictionary<StateKey, string>(_resolved.Count);
        foreach (var (key, number) in _resolved) if (agreed.Get(key) is null) result.Add(key, graph.Id(number));
        return result;
    }

    /// <summary>The full conflicted set by id; for tests.</summary>
    internal IReadOnlyList<string> FullConflictedIds()
    {
        Number();
        return [.. FullConflictedSet().Select(graph.Id)];
    }

    private void Number()
    {
        foreach (var set in sets)
        {
            var own = new List<int>(set.Count);
            foreach (var id in set.Values)
            {
                var number = graph.Number(id);
                own.Add(number);
                _conflicted.Add(number);
            }
            _own.Add(own);
        }
    }

    private bool IsUnconflicted(int number) =>
        graph.Event(number) is { StateKey: not null } e && agreed.Get(e.StatePair) == e.EventId;

    private NumberSet FullConflictedSet()
    {
        var full = graph.AuthDifference(_own, IsUnconflicted, agreed.All.Select(graph.Number));
        full.UnionWith(version.Resolution == StateResolution.V2_1 ? graph.Between(_conflicted) : _conflicted);
        return full;
    }

    /// <summary>Power events of the full conflicted set, and what their auth chains have in it.</summary>
    // Synapse: a chain is followed only inside the full conflicted set.
    private NumberSet PowerEvents(NumberSet full)
    {
        var power = new NumberSet();
        var todo = new Stack<int>();
        foreach (var number in full)
        {
            if (graph.Event(number) is { } e && IsPowerEvent(e) && power.Add(number)) todo.Push(number);
        }
        while (todo.TryPop(out var number))
        {
            foreach (var auth in graph.AuthEvents(number))
            {
                if (full.Contains(auth) && power.Add(auth)) todo.Push(auth);
            }
        }
        return power;
    }

    // Synapse: the create event counts too, and only the empty state key counts.
    private static bool IsPowerEvent(Pdu e) => e.Type switch
    {
        EventTypes.PowerLevels or EventTypes.JoinRules or EventTypes.Create => e.StateKey is "",
        EventTypes.Member => e.StateKey is not null && e.StateKey != e.Sender && e.Membership is Memberships.Leave or Memberships.Ban,
        _ => false,
    };

    /// <summary>Reverse topological power ordering: Kahn's algorithm, always taking the smallest event that is free.</summary>
    private List<int> PowerOrder(NumberSet power)
    {
        var waitsFor = new Dictionary<int, int>();
        var allows = new Dictionary<int, List<int>>();
        var free = new PriorityQueue<int, PowerRank>();
        foreach (var number in power)
        {
            var count = 0;
            foreach (var auth in graph.AuthEvents(number).Distinct())
            {
                if (!power.Contains(auth)) continue;
                count++;
                if (!allows.TryGetValue(auth, out var list)) allows[auth] = list = [];
                list.Add(number);
            }
            waitsFor[number] = count;
            if (count == 0) free.Enqueue(number, Rank(number));
        }
        var order = new List<int>();
        while (free.TryDequeue(out var number, out _))
        {
            order.Add(number);
            if (!allows.TryGetValue(number, out var list)) continue;
            foreach (var next in list)
            {
                if (--waitsFor[next] == 0) free.Enqueue(next, Rank(next));
            }
        }
        // Ids that servers gave (versions 1 and 2) can be made to form a cycle: what hangs in one comes last, still in one order for everybody.
        if (order.Count < waitsFor.Count) order.AddRange(waitsFor.Keys.Except(order).ToArray().OrderBy(Rank));
        return order;
    }

    internal readonly record struct PowerRank(long Level, long Ts, string Id) : IComparable<PowerRank>
    {
        public int CompareTo(PowerRank other)
        {
            var c = other.Level.CompareTo(Level);
            if (c == 0) c = Ts.CompareTo(other.Ts);
            return c != 0 ? c : CanonicalNames.Compare(Id, other.Id);
        }
    }

    private PowerRank Rank(int number)
    {
        var e = graph.Event(number);
        return new PowerRank(e is null ? 0 : SenderLevel(number, e), e?.OriginServerTs ?? 0, graph.Id(number));
    }

    /// <summary>The level of an event's sender as its own auth events tell it.</summary>
    private long SenderLevel(int number, Pdu e)
    {
        Pdu? levels = null, create = CreateByRoomId(e);
        foreach (var auth in graph.AuthEvents(number))
        {
            if (graph.Event(auth) is not { } candidate) continue;
            if (IsAt(candidate, AuthRules.PowerLevelsKey)) levels = candidate;
            else if (IsAt(candidate, AuthRules.CreateKey)) create ??= candidate;
        }
        if (create is not null) return PowerLevels.Read(create, levels).Of(e.Sender);
        if (levels is null) return 0;
        var content = PowerLevelContent.Read(levels.Content.Span, version);
        return content.Users.TryGetValue(e.Sender, out var level) ? level : content.UsersDefault ?? 0;
    }

    private static bool IsAt(Pdu e, StateKey key) => e.StateKey == key.Key && e.Type == key.Type;

    private Pdu? CreateByRoomId(Pdu e) =>
        version.RoomIdIsCreateHash && e.RoomId.Length > 1 && graph.Event(graph.Number(string.Concat("$", e.RoomId.AsSpan(1)))) is { Type: EventTypes.Create } create
            ? create : null;

    private List<int> MainlineOrder(NumberSet events)
    {
        var positions = new Dictionary<int, long>();
        var mainline = -1;
        if (Get(AuthRules.PowerLevelsKey) is { } current) mainline = graph.Number(current.EventId);
        for (long i = 0; mainline >= 0 && positions.TryAdd(mainline, i); i++) mainline = PowerLevelsOf(mainline);

        // Positions are remembered for every event on the way, so that a long chain is walked once.
        var known = new Dictionary<int, long>(positions);
        var ranks = new List<(int Number, long Position, long Ts, string Id)>();
        foreach (var number in events)
        {
            if (graph.Event(number) is { } e) ranks.Add((number, Position(number, known), e.OriginServerTs, e.EventId));
        }
        ranks.Sort(static (a, b) =>
        {
            var c = b.Position.CompareTo(a.Position);
            if (c == 0) c = a.Ts.CompareTo(b.Ts);
            return c != 0 ? c : CanonicalNames.Compare(a.Id, b.Id);
        });
        return [.. ranks.Select(r => r.Number)];
    }

    private long Position(int number, Dictionary<int, long> known)
    {
        var path = new List<int>();
        var position = long.MaxValue;
        for (var at = PowerLevelsOf(number); at >= 0; at = PowerLevelsOf(at))
        {
            if (known.TryGetValue(at, out position)) break;
            position = long.MaxValue;
            // Set at once, so that a cycle ends.
            known[at] = position;
            path.Add(at);
        }
        foreach (var at in path) known[at] = position;
        return position;
    }

    /// <summary>The power-level event among an event's auth events; -1 when there is none.</summary>
    private int PowerLevelsOf(int number)
    {
        foreach (var auth in graph.AuthEvents(number))
        {
            if (graph.Event(auth) is { } e && IsAt(e, AuthRules.PowerLevelsKey)) return auth;
        }
        return -1;
    }

    /// <summary>One step of the iterative auth checks: the event enters the state when the state allows it.</summary>
    private void Apply(int number)
    {
        if (graph.Event(number) is not { StateKey: not null } e) return;
        _checked = e;
        if (AuthRules.Check(e, this, context).Allowed) _resolved[e.StatePair] = number;
        _checked = null;
    }

    /// <summary>The state as the checks see it: what is resolved, else what the checked event cites and was not rejected.</summary>
    public Pdu? Get(StateKey key)
    {
        if (_resolved.TryGetValue(key, out var number)) return graph.Event(number);
        if (version.Resolution != StateResolution.V2_1 && agreed.Get(key) is { } id && graph.Event(graph.Number(id)) is { } known) return known;
        if (_checked is null) return null;
        for (var i = _checked.AuthEvents.Length - 1; i >= 0; i--)
        {
            if (graph.Event(graph.Number(_checked.AuthEvents[i])) is { } auth && IsAt(auth, key) && !isRejected(auth.EventId)) return auth;
        }
        return key == AuthRules.CreateKey && CreateByRoomId(_checked) is { } create && !isRejected(create.EventId) ? create : null;
    }
}

using System.Text.Json;
using Matrix.Events;

namespace Matrix.Unit.Vectors;

public class StateResolutionVectors
{
    public static TheoryData<string> RumaFiles =>
        [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Vectors", "data", "state-res"), "ruma-*.json").Select(f => Path.GetFileName(f)!).Order()];

    private static StateKey KeyOf(JsonElement e) => new(e.GetProperty("type").GetString()!, e.GetProperty("state_key").GetString()!);

    private static Dictionary<StateKey, string> Expected(JsonElement root) =>
        root.GetProperty("expected_resolved_state").EnumerateArray().ToDictionary(KeyOf, e => e.GetProperty("event_id").GetString()!);

    private static void AssertResolves(
        RoomVersion version, Dictionary<StateKey, string> expected, IReadOnlyDictionary<StateKey, string>[] sets, Dictionary<string, Pdu> events)
    {
        var forward = StateResolver.Resolve(version, sets, events.GetValueOrDefault, _ => false);
        Assert.Equal(Text(expected), Text(forward));
        var backward = StateResolver.Resolve(version, [.. sets.Reverse()], events.GetValueOrDefault, _ => false);
        Assert.Equal(Text(expected), Text(backward));
    }

    private static string Text(IReadOnlyDictionary<StateKey, string> state) =>
        string.Join('\n', state.Select(p => $"{p.Key} {p.Value}").Order(StringComparer.Ordinal));

    [Fact]
    public void All_thirteen_files_are_here() => Assert.Equal(13, RumaFiles.Count);

    [Theory, MemberData(nameof(RumaFiles))]
    public void Resolution_gives_the_state_of_the_shared_cases(string file)
    {
        var root = Vector.Load($"state-res/{file}");
        var version = root.Version();
        var expected = Expected(root);
        if (root.GetProperty("mode").GetString() == "state_maps")
        {
            var events = root.GetProperty("pdus").EnumerateArray().Select(e => Vector.Event(e, version)).ToDictionary(e => e.EventId);
            var sets = root.GetProperty("state_sets").EnumerateArray()
                .Select(s => (IReadOnlyDictionary<StateKey, string>)s.GetProperty("event_ids").EnumerateArray()
                    .Select(id => events[id.GetString()!]).ToDictionary(e => e.StatePair, e => e.EventId))
                .ToArray();
            AssertResolves(version, expected, sets, events);
            return;
        }
        var batches = root.GetProperty("pdu_batches").EnumerateArray()
            .Select(b => b.GetProperty("pdus").EnumerateArray().Select(e => Vector.Event(e, version)).ToArray()).ToArray();
        ResolvesEventByEvent(version, expected, batches);
        ResolvesBatchByBatch(version, expected, batches);
    }

    private static void ResolvesEventByEvent(RoomVersion version, Dictionary<StateKey, string> expected, Pdu[][] batches)
    {
        var events = batches.SelectMany(b => b).ToDictionary(e => e.EventId);
        var after = StatesAfter(version, events.Values, events, []);
        var cited = events.Values.SelectMany(e => e.PrevEvents).ToHashSet();
        var leaves = events.Keys.Where(id => !cited.Contains(id)).Select(id => after[id]).ToArray();
        AssertResolves(version, expected, leaves, events);
    }

    private static void ResolvesBatchByBatch(RoomVersion version, Dictionary<StateKey, string> expected, Pdu[][] batches)
    {
        var events = new Dictionary<string, Pdu>();
        var after = new Dictionary<string, IReadOnlyDictionary<StateKey, string>>();
        IReadOnlyDictionary<StateKey, string> state = new Dictionary<StateKey, string>();
        foreach (var batch in batches)
        {
            foreach (var e in batch) events.Add(e.EventId, e);
            StatesAfter(version, batch, events, after);
            var cited = batch.SelectMany(e => e.PrevEvents).ToHashSet();
            var leaves = batch.Where(e => !cited.Contains(e.EventId)).Select(e => after[e.EventId]);
            IReadOnlyDictionary<StateKey, string>[] sets = state.Count == 0 ? [.. leaves] : [state, .. leaves];
            state = StateResolver.Resolve(version, sets, events.GetValueOrDefault, _ => false);
        }
        Assert.Equal(Text(expected), Text(state));
    }

    /// <summary>The state after each event: resolved over its prev events, then the event itself.</summary>
    private static Dictionary<string, IReadOnlyDictionary<StateKey, string>> StatesAfter(
        RoomVersion version, IEnumerable<Pdu> order, Dictionary<string, Pdu> events, Dictionary<string, IReadOnlyDictionary<StateKey, string>> after)
    {
        foreach (var e in order)
        {
            var before = StateResolver.Resolve(version, [.. e.PrevEvents.Select(p => after[p])], events.GetValueOrDefault, _ => false);
            after[e.EventId] = new Dictionary<StateKey, string>(before) { [e.StatePair] = e.EventId };
        }
        return after;
    }

    [Fact]
    public void Version_1_keeps_the_power_levels_of_the_shared_case()
    {
        var root = Vector.Load("state-res/gomatrixserverlib-v1.json");
        var conflicted = root.GetProperty("conflicted_state_sets")[0].EnumerateArray().Select(e => Vector.Event(e, RoomVersions.V1)).ToArray();
        var auth = root.GetProperty("auth_events").EnumerateArray().Select(e => Vector.Event(e, RoomVersions.V1)).ToArray();
        var events = conflicted.Concat(auth).ToDictionary(e => e.EventId);
        var sets = conflicted.Select(c => (IReadOnlyDictionary<StateKey, string>)auth.Append(c).ToDictionary(e => e.StatePair, e => e.EventId)).ToArray();
        var resolved = StateResolver.Resolve(RoomVersions.V1, sets, events.GetValueOrDefault, _ => false);
        Assert.Equal(root.GetProperty("expected_resolved_event_id").GetString(), resolved[new StateKey("m.room.power_levels", "")]);
    }

    [Fact]
    public void Version_1_orders_by_depth_then_hash_of_the_id()
    {
        var cases = Vector.Load("state-res/gomatrixserverlib-v1.json").GetProperty("depth_sort");
        var events = cases.GetProperty("input").EnumerateArray().Select(e => Vector.Event(e, RoomVersions.V1)).ToList();
        var ascending = ResolutionV1.Ordered(events);
        ascending.Reverse();
        Assert.Equal(cases.GetProperty("expected_order").EnumerateArray().Select(e => e.GetString()), ascending.Select(e => e.EventId));
    }

    [Fact]
    public void Auth_chains_and_conflicted_subgraphs_are_those_of_the_shared_graph()
    {
        var root = Vector.Load("state-res/graph-algorithms.json");
        var edges = root.GetProperty("auth_graph").EnumerateObject().ToDictionary(p => p.Name, p => Strings(p.Value));
        foreach (var c in root.GetProperty("auth_chain").EnumerateArray())
        {
            var graph = new AuthGraph(_ => null, edges.GetValueOrDefault);
            var start = Strings(c.GetProperty("start"));
            var chain = graph.Reach(start.SelectMany(s => edges[s]).Select(graph.Number)).Select(graph.Id);
            Assert.Equal(Strings(c.GetProperty("full_auth_chain")).Order(), chain.Order());
        }
        foreach (var c in root.GetProperty("conflicted_state_subgraph_v2_1").EnumerateArray())
        {
            var graph = new AuthGraph(_ => null, edges.GetValueOrDefault);
            var between = graph.Between(new NumberSet(Strings(c.GetProperty("conflicted")).Select(graph.Number))).Select(graph.Id);
            Assert.Equal(Strings(c.GetProperty("conflicted_state_subgraph")).Order(), between.Order());
        }
    }

    [Fact]
    public void Ties_of_the_power_ordering_are_broken_as_stated()
    {
        var c = Vector.Load("state-res/graph-algorithms.json").GetProperty("reverse_topological_power_ordering_tie_break");
        var ranks = c.GetProperty("input").EnumerateArray().Select(e => new ResolutionV2.PowerRank(
            e.GetProperty("power_level").GetInt64(), e.GetProperty("origin_server_ts").GetInt64(), e.GetProperty("event_id").GetString()!));
        Assert.Equal(Strings(c.GetProperty("expected")), ranks.Order().Select(r => r.Id));
    }

    [Fact]
    public void Conflicts_are_told_from_agreement_as_stated()
    {
        foreach (var c in Vector.Load("state-res/graph-algorithms.json").GetProperty("split_conflicted").GetProperty("cases").EnumerateArray())
        {
            var version = c.GetProperty("algorithm").GetString() == "v1" ? RoomVersions.V1 : RoomVersions.V10;
            var sets = c.GetProperty("state_sets").EnumerateArray().Select(s => (IReadOnlyDictionary<StateKey, string>)s.EnumerateArray()
                .ToDictionary(e => new StateKey(e[0].GetString()!, e[1].GetString()!), e => e[2].GetString()!)).ToArray();
            // Events that are not known cannot be resolved: what is left is the unconflicted state.
            var resolved = StateResolver.Resolve(version, sets, _ => null, _ => false);
            Assert.Equal(Strings(c.GetProperty("unconflicted")).Order(), resolved.Values.Order());
        }
    }

    private static string[] Strings(JsonElement array) => [.. array.EnumerateArray().Select(e => e.GetString()!)];
}

using FsCheck;
using FsCheck.Fluent;
using Matrix.Storage.Rooms;

namespace Matrix.Unit.Storage;

/// <summary>Chains of state snapshots: docs/state.md</summary>
public class SnapshotChainTests
{
    private sealed record Step(long Key, long Value);

    private static readonly Arbitrary<Step[][]> Histories =
        (from key in Gen.Choose(1, 12)
         from value in Gen.Choose(0, 1_000_000)
         select new Step(key, value)).ArrayOf().ArrayOf().ToArbitrary();

    private static KeyValuePair<long, long>[] Changes(Step[] steps) =>
        [.. steps.GroupBy(s => s.Key).Select(g => new KeyValuePair<long, long>(g.Key, g.Last().Value))];

    private static Dictionary<long, long> Rebuild(IReadOnlyList<SnapshotRow> rows, int number)
    {
        var map = new Dictionary<long, long>();
        foreach (var n in StateDelta.Path(number)) StateDelta.Apply(rows[n].Delta, map);
        return map;
    }

    [Fact]
    public void No_snapshot_of_a_hundred_thousand_is_rebuilt_from_more_than_twenty_rows()
    {
        for (var number = 0; number <= 110_000; number++) Assert.InRange(StateDelta.Path(number).Length, 1, 20);
    }

    [Fact]
    public void Any_sequence_of_changes_is_rebuilt_exactly() => Prop.ForAll(Histories, history =>
    {
        var chain = SnapshotChain.Empty();
        var rows = new List<SnapshotRow>();
        var state = new Dictionary<long, long>();
        var expected = new List<Dictionary<long, long>>();
        foreach (var steps in history)
        {
            var changes = Changes(steps);
            foreach (var (key, value) in changes)
                if (value == 0) state.Remove(key);
                else state[key] = value;
            rows.Add(chain.Append(rows.Count + 100, 7, changes));
            expected.Add(new(state));
        }
        for (var i = 0; i < rows.Count; i++)
        {
            Assert.Equal((i, 100, 7), (rows[i].Number, rows[i].Chain, rows[i].RoomNid));
            Assert.Equal(expected[i].OrderBy(p => p.Key), Rebuild(rows, i).OrderBy(p => p.Key));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_chain_that_is_loaded_again_goes_on_as_the_one_in_memory() => Prop.ForAll(Histories, history =>
    {
        var whole = SnapshotChain.Empty();
        var rows = new List<SnapshotRow>();
        foreach (var steps in history)
        {
            var reloaded = rows.Count == 0
                ? SnapshotChain.Empty()
                : SnapshotChain.At(rows[0].SnapshotNid, rows.Count - 1, StateDelta.Path(rows.Count - 1).Where(n => n > 0).Select(n => (n, rows[n].Delta)));
            var changes = Changes(steps);
            var row = whole.Append(rows.Count + 1, 1, changes);
            var again = reloaded.Append(rows.Count + 1, 1, changes);
            Assert.Equal((row.Chain, row.Number), (again.Chain, again.Number));
            Assert.Equal(row.Delta, again.Delta);
            rows.Add(row);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_snapshot_is_rebuilt_from_few_rows_and_a_chain_costs_few_pairs()
    {
        const int Changes = 20_000, Users = 10_000;
        var chain = SnapshotChain.Empty();
        long bytes = 0;
        for (var i = 0; i < Changes; i++)
        {
            var change = new KeyValuePair<long, long>(1_000 + (i * 7_919L % Users), 1_000_000 + i);
            bytes += chain.Append(i + 1, 1, new ReadOnlySpan<KeyValuePair<long, long>>(in change)).Delta.Length;
        }
        Assert.All(Enumerable.Range(0, Changes), n => Assert.InRange(StateDelta.Path(n).Length, 1, 16));
        // A full copy every time would be some 10,000 pairs a snapshot; the log keeps it to about log2(n) / 2.
        Assert.InRange(bytes / Changes, 1, 64);
        Assert.InRange(chain.Bytes, 1, 200_000);
    }

    [Fact]
    public void Looking_keys_up_finds_what_rebuilding_finds() => Prop.ForAll(Histories, history =>
    {
        var chain = SnapshotChain.Empty();
        var rows = new List<SnapshotRow>();
        foreach (var steps in history) rows.Add(chain.Append(rows.Count + 1, 1, Changes(steps)));
        long[] keys = [2, 3, 9, 50];
        for (var i = 0; i < rows.Count; i++)
        {
            long[] values = [-1, -1, -1, -1];
            var path = StateDelta.Path(i);
            for (var p = path.Length - 1; p >= 0; p--) StateDelta.Pick(rows[path[p]].Delta, keys, values);
            var map = Rebuild(rows, i);
            for (var k = 0; k < keys.Length; k++) Assert.Equal(map.GetValueOrDefault(keys[k]), Math.Max(values[k], 0));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_state_map_is_a_dictionary_of_ints() => Prop.ForAll(Histories, history =>
    {
        var map = new StateMap();
        var model = new Dictionary<long, long>();
        foreach (var step in history.SelectMany(s => s))
        {
            Assert.Equal(model.GetValueOrDefault(step.Key), map.Set(step.Key, step.Value));
            if (step.Value == 0) model.Remove(step.Key);
            else model[step.Key] = step.Value;
        }
        Assert.Equal(model.OrderBy(p => p.Key), map.Pairs().OrderBy(p => p.Key));
        Assert.All(model, p => Assert.Equal(p.Value, map.Get(p.Key)));
        Assert.Equal(0, map.Get(999));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_state_map_grows()
    {
        var map = new StateMap();
        for (long i = 1; i <= 50_000; i++) map.Set(i * 3, i);
        for (long i = 1; i <= 50_000; i++) Assert.Equal(i, map.Get(i * 3));
        Assert.InRange(map.Bytes, 50_000 * 16, 50_000 * 48);
    }
}

using System.Text.Json;
using Matrix.Testing;

namespace Matrix.Unit.Events;

/// <summary>
/// Holds the hot operations to the bytes per run that tests/Benchmarks/baselines.json grants them (Debug and Release allocate the same).
/// Less is welcome: lower the number. Resolution varies by a few objects with the ids of its events, and has that much room.
/// </summary>
public class AllocationTests
{
    private static readonly Dictionary<string, long> Baselines = JsonSerializer.Deserialize<Dictionary<string, long>>(
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "baselines.json")))!;

    [Fact]
    public void No_hot_operation_allocates_more_than_its_baseline()
    {
        var operations = new CoreOperations().All;
        Assert.Equal(Baselines.Keys.Order(StringComparer.Ordinal), operations.Keys.Order(StringComparer.Ordinal));
        var measured = operations.ToDictionary(o => o.Key, o => BytesOf(o.Value));
        var over = measured.Where(m => m.Value > Baselines[m.Key]).Select(m => $"{m.Key}: {m.Value} bytes, baseline {Baselines[m.Key]}").ToList();
        Assert.True(over.Count == 0, string.Join('\n', over));
    }

    private static long BytesOf(Action operation)
    {
        // The first runs fill caches and pools of this thread.
        for (var i = 0; i < 50; i++) operation();
        var least = long.MaxValue;
        for (var round = 0; round < 5; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 20; i++) operation();
            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / 20);
        }
        return least;
    }
}

using Matrix.Storage.Upkeep;

namespace Matrix.Background.Duties;

/// <summary>
/// Removes old rows of the streams (not of stream events, which is the room history). Rows carry no time, so every hour it is noted where the
/// streams are; what was written before the oldest kept note goes. A reader that lags behind holds back its stream.
/// </summary>
internal sealed class PruneStreamsDuty(UpkeepStore store, TimeProvider clock) : IBackgroundDuty
{
    private const int Portion = 5000;
    /// <summary>A sync token older than this is answered from the tables instead of the streams.</summary>
    public static readonly TimeSpan Retention = TimeSpan.FromDays(30);
    public static readonly TimeSpan MarkEvery = TimeSpan.FromHours(1);

    public string Name => "prune_streams";
    public TimeSpan Interval => TimeSpan.FromMinutes(15);

    public async Task<int> RunAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var marks = await store.MarksAsync(ct);
        if (marks.Count == 0 || now - marks[^1] >= MarkEvery.TotalMilliseconds) await store.MarkAsync(now, ct);
        var old = marks.LastOrDefault(m => now - m >= Retention.TotalMilliseconds, -1);
        if (old < 0) return 0;
        var removed = 0;
        foreach (var (stream, upTo) in await store.PrunableAsync(old, ct)) removed += await store.PruneAsync(stream, upTo, Portion, ct);
        if (removed == 0) await store.ForgetMarksAsync(old, ct);
        return removed;
    }
}

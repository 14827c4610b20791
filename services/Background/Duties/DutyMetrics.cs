using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Matrix.Background.Duties;

/// <summary>Progress of the duties, for everybody who watches this service.</summary>
internal sealed class DutyMetrics : IDisposable
{
    public const string MeterName = "Armada.Background";
    private readonly Meter meter = new(MeterName);
    private readonly Counter<long> rows;
    private readonly Counter<long> runs;
    private readonly Counter<long> failures;
    private readonly Histogram<double> durations;
    private readonly TimeProvider clock;
    private readonly ConcurrentDictionary<string, long> lastRuns = new(StringComparer.Ordinal);

    public DutyMetrics(TimeProvider clock)
    {
        this.clock = clock;
        rows = meter.CreateCounter<long>("background.rows", description: "Rows dealt with by a duty");
        runs = meter.CreateCounter<long>("background.runs", description: "Turns that a duty completed");
        failures = meter.CreateCounter<long>("background.failures", description: "Turns that failed");
        durations = meter.CreateHistogram<double>("background.duration", unit: "s", description: "Time of a completed turn");
        meter.CreateObservableGauge("background.last_run", () => lastRuns.Select(p => new Measurement<long>(p.Value, Tag(p.Key))), unit: "s",
            description: "When a duty was last completed here, seconds since the epoch");
    }

    public void Progressed(string duty, int count) => rows.Add(count, Tag(duty));
    public void Failed(string duty) => failures.Add(1, Tag(duty));

    public void Completed(string duty, TimeSpan elapsed)
    {
        runs.Add(1, Tag(duty));
        durations.Record(elapsed.TotalSeconds, Tag(duty));
        lastRuns[duty] = clock.GetUtcNow().ToUnixTimeSeconds();
    }

    private static KeyValuePair<string, object?> Tag(string duty) => new("duty", duty);

    public void Dispose() => meter.Dispose();
}

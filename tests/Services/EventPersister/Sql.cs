using System.Collections.Concurrent;
using System.Diagnostics;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Every statement that one data source of this process sends, while it lives. Polling of replication and instances is left out.</summary>
internal sealed class Sql : IDisposable
{
    private static readonly string[] Background = ["stream_counters where", "from stream_counters", "instances", "schema_version", "stream_retained", "leases"];
    private readonly ActivityListener listener;
    private readonly ConcurrentQueue<string> statements = new();

    public Sql(string database)
    {
        listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                var text = (activity.GetTagItem("db.query.text") ?? activity.GetTagItem("db.statement")) as string ?? "";
                var of = (activity.GetTagItem("db.namespace") ?? activity.GetTagItem("db.name")) as string;
                if (of == database && text.Length > 0 && (text.Contains("insert into events", StringComparison.Ordinal) || !Background.Any(b => text.Contains(b, StringComparison.Ordinal))))
                    statements.Enqueue(text);
            },
        };
        ActivitySource.AddActivityListener(listener);
    }

    public IReadOnlyList<string> All => [.. statements];
    public void Clear() => statements.Clear();
    public void Dispose() => listener.Dispose();
}

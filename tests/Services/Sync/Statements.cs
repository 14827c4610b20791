using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;

namespace Matrix.ServiceTests.Sync;

/// <summary>Every statement, or batch of them, that this process sends to one database, while it lives; what runs in the background is left out.</summary>
internal sealed class Statements : IDisposable
{
    private static readonly string[] Background = ["stream_counters", "instances", "schema_version", "stream_retained", "leases", "stream_cursors"];
    /// <summary>Whole users and rooms are read with the counters in one batch.</summary>
    private static readonly string[] Loads = ["from current_state", "from account_data"];
    private readonly ActivityListener listener;
    private readonly ConcurrentQueue<string> statements = new();

    public Statements(string connectionString)
    {
        var database = new NpgsqlConnectionStringBuilder(connectionString).Database;
        listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                var text = (activity.GetTagItem("db.query.text") ?? activity.GetTagItem("db.statement")) as string ?? "";
                var of = (activity.GetTagItem("db.namespace") ?? activity.GetTagItem("db.name")) as string;
                if (of != database || text.Length == 0) return;
                var isBackground = Background.Any(b => text.Contains(b, StringComparison.Ordinal)) && !Loads.Any(l => text.Contains(l, StringComparison.Ordinal));
                var isWrite = text.Contains("insert into events", StringComparison.Ordinal);
                if (!isBackground && !isWrite) statements.Enqueue(text);
            },
        };
        ActivitySource.AddActivityListener(listener);
    }

    /// <summary>Without those that write events.</summary>
    public IReadOnlyList<string> All => [.. statements];
    public int Containing(string text) => statements.Count(s => s.Contains(text, StringComparison.Ordinal));
    public void Dispose() => listener.Dispose();
}

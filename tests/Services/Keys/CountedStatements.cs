using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;

namespace Matrix.ServiceTests.Keys;

/// <summary>Every statement, or batch of them, that this process sends about keys and to-device messages to one database, while it lives.</summary>
internal sealed class CountedStatements : IDisposable
{
    private static readonly string[] Tables = ["device_keys", "one_time_keys", "fallback_keys", "cross_signing_keys", "master_key_signatures", "key_backup", "to_device_messages", "from devices"];
    private readonly ActivityListener listener;
    private readonly ConcurrentQueue<string> statements = new();

    public CountedStatements(string connectionString)
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
                if (of == database && Tables.Any(t => text.Contains(t, StringComparison.Ordinal))) statements.Enqueue(text);
            },
        };
        ActivitySource.AddActivityListener(listener);
    }

    public IReadOnlyList<string> All => [.. statements];
    public void Dispose() => listener.Dispose();
}

using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;

namespace Matrix.Testing.Servers;

/// <summary>
/// The statements, or batches of them, that this process sends to one database while this lives. Only a test that runs alone can say whose they are; or those
/// of one trace are counted, which requests carry along: then nothing counts that anybody else does meanwhile.
/// </summary>
public sealed class CountedStatements : IDisposable
{
    private readonly ActivityListener listener;
    private readonly ConcurrentQueue<string> statements = new();
    private readonly Activity? own;

    /// <param name="counts">Which of them are meant.</param>
    /// <param name="ownTrace">Only what requests do that are made from here on, in the same asynchronous flow.</param>
    public CountedStatements(string connectionString, Func<string, bool> counts, bool ownTrace = false)
    {
        own = ownTrace ? new Activity("counted").SetIdFormat(ActivityIdFormat.W3C).Start() : null;
        var database = new NpgsqlConnectionStringBuilder(connectionString).Database;
        listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql" || (ownTrace && source.Name == "Microsoft.AspNetCore"),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                var text = (activity.GetTagItem("db.query.text") ?? activity.GetTagItem("db.statement")) as string ?? "";
                var of = (activity.GetTagItem("db.namespace") ?? activity.GetTagItem("db.name")) as string;
                if (own is not null && own.TraceId != activity.TraceId) return;
                if (of == database && text.Length > 0 && counts(text)) statements.Enqueue(text);
            },
        };
        ActivitySource.AddActivityListener(listener);
    }

    public IReadOnlyList<string> All => [.. statements];
    public int Containing(string text) => statements.Count(s => s.Contains(text, StringComparison.Ordinal));
    public void Clear() => statements.Clear();

    public void Dispose()
    {
        listener.Dispose();
        own?.Dispose();
    }
}

public static class StatementExtensions
{
    public static bool ContainsAny(this string statement, IEnumerable<string> parts) => parts.Any(p => statement.Contains(p, StringComparison.Ordinal));
}

using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;

namespace Matrix.Testing.Servers;

/// <summary>
/// The statements, or batches of them, that this process sends to one database while this lives. Only a test that runs alone can say whose they are.
/// </summary>
public sealed class CountedStatements : IDisposable
{
    private readonly ActivityListener listener;
    private readonly ConcurrentQueue<string> statements = new();

    /// <param name="counts">Which of them are meant.</param>
    public CountedStatements(string connectionString, Func<string, bool> counts)
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
                if (of == database && text.Length > 0 && counts(text)) statements.Enqueue(text);
            },
        };
        ActivitySource.AddActivityListener(listener);
    }

    public IReadOnlyList<string> All => [.. statements];
    public int Containing(string text) => statements.Count(s => s.Contains(text, StringComparison.Ordinal));
    public void Clear() => statements.Clear();
    public void Dispose() => listener.Dispose();
}

public static class StatementExtensions
{
    public static bool ContainsAny(this string statement, IEnumerable<string> parts) => parts.Any(p => statement.Contains(p, StringComparison.Ordinal));
}

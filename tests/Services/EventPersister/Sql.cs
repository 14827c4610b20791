using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.EventPersister;

internal static class Sql
{
    private static readonly string[] Background = ["stream_counters where", "from stream_counters", "instances", "schema_version", "stream_retained", "leases"];

    /// <summary>Every statement to that database, without the polling of replication and instances.</summary>
    public static CountedStatements Count(string connectionString) => new(
        connectionString, text => text.Contains("insert into events", StringComparison.Ordinal) || !text.ContainsAny(Background));
}

using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.Sync;

internal static class SyncStatements
{
    /// <summary>What runs in the background, and what a process reads once.</summary>
    private static readonly string[] Background = ["stream_counters", "instances", "schema_version", "stream_retained", "leases", "stream_cursors", "from users where erased"];
    /// <summary>Whole users and rooms are read with the counters in one batch.</summary>
    private static readonly string[] Loads = ["from current_state", "from account_data"];

    /// <summary>What is asked of the fixture's database, without what runs in the background and without writing of events.</summary>
    public static CountedStatements Count(this SyncFixture fixture) => new(fixture.Postgres.ConnectionString, IsMeant);

    /// <summary>As <see cref="Count"/>, of the requests alone that the caller makes: processes that fall behind read what they have missed, whenever they like.</summary>
    public static CountedStatements CountOwn(this SyncFixture fixture) => new(fixture.Postgres.ConnectionString, IsMeant, ownTrace: true);

    private static bool IsMeant(string text) =>
        (!text.ContainsAny(Background) || text.ContainsAny(Loads)) && !text.Contains("insert into events", StringComparison.Ordinal);
}

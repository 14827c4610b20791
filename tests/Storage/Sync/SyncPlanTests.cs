using Matrix.Storage.Sync;
using Matrix.Testing.Servers;
using Npgsql;

namespace Matrix.StorageTests.Sync;

/// <summary>What sync reads is found by an index, whatever the size of the tables.</summary>
public class SyncPlanTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    public static TheoryData<string, string> Hot { get; } = new()
    {
        { "memberships", SyncReader.SqlMemberships },
        { "account data", SyncReader.SqlAccountData },
        { "some account data", SyncReader.SqlAccountDataOf },
        { "to-device ranges", SyncReader.SqlToDeviceRanges },
        { "to-device", SyncReader.SqlToDevice },
        { "acknowledge", SyncReader.SqlDeleteToDevice },
        { "own receipts", SyncReader.SqlOwnReceipts },
        { "receipts", SyncReader.SqlReceipts },
        { "activity", SyncReader.SqlActivity },
        { "latest events", SyncReader.SqlLatest },
        { "state", SyncReader.SqlState },
        { "members", SyncReader.SqlMembers },
        { "snapshot", SyncReader.SqlSnapshotAt },
        { "membership history", SyncReader.SqlMembershipHistory },
        { "changed account data", SyncReader.SqlChangedKeys },
        { "device lists", SyncReader.SqlDeviceListChanges },
        { "contacts", SyncReader.SqlContacts },
        { "sharing", SyncReader.SqlSharing },
        { "joined rooms", SyncReader.SqlJoinedRooms },
        { "forgotten", SyncReader.SqlForgotten },
    };

    [Theory]
    [MemberData(nameof(Hot))]
    public async Task No_table_is_read_from_end_to_end(string name, string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await RunAsync("set enable_seqscan = off");
        await RunAsync("set plan_cache_mode = force_generic_plan");
        await RunAsync($"prepare probe as {sql}");
        var count = (int)(await RunAsync("select cardinality(parameter_types) from pg_prepared_statements where name = 'probe'"))!;
        var plan = new List<string>();
        await using (var explain = new NpgsqlCommand($"explain execute probe({string.Join(',', Enumerable.Repeat("null", count))})", connection))
        await using (var r = await explain.ExecuteReaderAsync())
            while (await r.ReadAsync()) plan.Add(r.GetString(0));
        Assert.False(plan.Exists(line => line.Contains("Seq Scan on", StringComparison.Ordinal)), $"{name}:\n{string.Join('\n', plan)}");

        async Task<object?> RunAsync(string statement)
        {
            await using var command = new NpgsqlCommand(statement, connection);
            return await command.ExecuteScalarAsync();
        }
    }
}

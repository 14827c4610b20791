using Matrix.Storage.AccountData;
using Matrix.Storage.Accounts;
using Matrix.Storage.Receipts;
using Matrix.Storage.RoomDirectory;
using Matrix.Storage.Rooms;
using Matrix.Storage.ToDevice;
using Matrix.Testing.Servers;
using Npgsql;

namespace Matrix.StorageTests.Clients;

/// <summary>What clients ask often finds its rows by an index, whatever the size of the tables.</summary>
public class PlanTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    public static TheoryData<string, string> Hot { get; } = new()
    {
        { "token", AccessTokenStore.SqlFind },
        { "register", AccountStore.SqlRegister },
        { "find for login", AccountStore.SqlFindForLogin },
        { "log in", AccountStore.SqlLogIn },
        { "delete devices", DeviceStore.SqlDelete },
        { "get account data", AccountDataStore.SqlGet },
        { "set account data", AccountDataStore.SqlSet },
        { "fully read", AccountDataStore.SqlSetFullyRead },
        { "filter", FilterStore.SqlGet },
        { "receipt", ReceiptStore.SqlSet },
        { "send to device", ToDeviceStore.SqlSend },
        { "joined rooms", MembershipStore.SqlJoinedRooms },
        { "share a room", MembershipStore.SqlShareRoom },
        { "alias", RoomDirectoryStore.SqlAlias },
        { "published rooms", RoomDirectoryStore.SqlPublishedAfter },
        { "uia session", UiaSessionStore.SqlCreate },
        { "guest upgrade", AccountStore.SqlUpgradeGuest },
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

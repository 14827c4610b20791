using Matrix.Storage.Keys;
using Matrix.Testing.Servers;
using Npgsql;

namespace Matrix.StorageTests.Keys;

/// <summary>Questions about keys find their rows by an index, whatever the size of the tables.</summary>
public class KeyPlanTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    public static TheoryData<string, string> Hot { get; } = new()
    {
        { "upload", DeviceKeyStore.SqlUpload },
        { "check", DeviceKeyStore.SqlCheck },
        { "counts", DeviceKeyStore.SqlCounts },
        { "unused fallback", DeviceKeyStore.SqlUnusedFallback },
        { "claim", DeviceKeyStore.SqlClaim },
        { "devices", DeviceKeyStore.SqlDevices },
        { "cross-signing", DeviceKeyStore.SqlCrossSigning },
        { "master signatures", DeviceKeyStore.SqlMasterSignatures },
        { "drop dehydrated", DeviceKeyStore.SqlDropDehydrated },
        { "replace cross-signing", CrossSigningStore.SqlReplace },
        { "sign", CrossSigningStore.SqlSign },
        { "device ids", CrossSigningStore.SqlDeviceIds },
        { "find backup", KeyBackupStore.SqlFind },
        { "put backup", KeyBackupStore.SqlPut },
        { "get backup", KeyBackupStore.SqlGet },
        { "delete backup", KeyBackupStore.SqlDeleteSessions },
        { "turned", ContactReader.SqlTurned },
        { "own turned", ContactReader.SqlOwnTurned },
        { "members", ContactReader.SqlMembers },
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

using Npgsql;
using Xunit;

namespace Matrix.Testing.Servers;

public static class Plans
{
    /// <summary>Fails when that statement reads a table from end to end, whatever the size of the tables.</summary>
    public static async Task AssertIndexedAsync(this PostgresFixture postgres, string name, string sql)
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

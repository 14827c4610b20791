using System.Net;
using System.Net.Sockets;
using Matrix.Migrator;
using Matrix.ServiceDefaults;
using Matrix.Testing.Servers;
using Npgsql;

namespace Matrix.StorageTests.Setup;

public class MigratorTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private readonly StringWriter output = new();
    private readonly StringWriter errors = new();

    [Fact]
    public async Task A_missing_database_is_created_with_its_schema_and_a_second_run_finds_nothing_to_do()
    {
        var config = new DatabaseConfig { ConnectionString = postgres.NameForTest() };
        Assert.Equal(MigratorExit.Done, await RunAsync(config));
        Assert.Contains("Created the database.", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("0001_foundation", output.ToString(), StringComparison.Ordinal);
        Assert.Equal("", errors.ToString());
        output.GetStringBuilder().Clear();
        Assert.Equal(MigratorExit.Done, await RunAsync(config));
        Assert.DoesNotContain("Applied", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_user_who_may_not_create_the_database_is_told_the_command()
    {
        var role = "armada_test_" + Guid.NewGuid().ToString("N")[..12];
        var name = new NpgsqlConnectionStringBuilder(postgres.NameForTest());
        await PostgresFixture.ExecuteAsync($"create role {role} login");
        try
        {
            name.Username = role;
            Assert.Equal(MigratorExit.Checks, await RunAsync(new DatabaseConfig { ConnectionString = name.ConnectionString }));
            Assert.Contains($"create database \"{name.Database}\" encoding 'UTF8'", errors.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            await PostgresFixture.ExecuteAsync($"drop role {role}");
        }
    }

    [Fact]
    public async Task A_database_that_cannot_be_reached_ends_with_one_message_and_no_password()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();
        var config = new DatabaseConfig { ConnectionString = $"Host=127.0.0.1;Port={port};Username=u;Password=secret;Database=d" };
        Assert.Equal(MigratorExit.Unreachable, await RunAsync(config));
        Assert.Contains($"127.0.0.1:{port}", errors.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret", errors.ToString(), StringComparison.Ordinal);
        Assert.Single(errors.ToString().Trim().Split('\n'));
    }

    [Fact]
    public async Task A_fault_ends_with_another_code_and_the_cure()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        await using (var command = postgres.Open(connectionString).CreateCommand("insert into stream_rows values ('caches', 5, 0, 'k', '')"))
            await command.ExecuteNonQueryAsync();
        Assert.Equal(MigratorExit.Checks, await RunAsync(new DatabaseConfig { ConnectionString = connectionString }));
        Assert.Contains("insert into stream_counters", errors.ToString(), StringComparison.Ordinal);
    }

    private Task<MigratorExit> RunAsync(DatabaseConfig config) => MigratorRun.RunAsync(config, output, errors, CancellationToken.None);
}

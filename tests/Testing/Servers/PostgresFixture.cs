using System.Security.Cryptography;
using System.Text;
using Matrix.Storage;
using Matrix.Storage.Setup;
using Npgsql;
using Xunit;

namespace Matrix.Testing.Servers;

/// <summary>
/// A database of its own for each test class that takes this as class fixture: a copy of a migrated template. ARMADA_TEST_PG is the connection string of a
/// superuser. Databases are dropped afterwards, unless ARMADA_TEST_PG_THROWAWAY says that the whole cluster will be: a drop waits for a checkpoint.
/// </summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    private static readonly SemaphoreSlim Gate = new(1, 1);
    private static string? template;
    private readonly List<string> databases = [];
    private readonly List<NpgsqlDataSource> sources = [];
    private string? connectionString;
    private Database? database;

    public async ValueTask InitializeAsync()
    {
        if (TestServers.Address("ARMADA_TEST_PG") is null) return;
        connectionString = await CreateDatabaseAsync();
        database = new Database(Open(connectionString));
    }

    /// <summary>The migrated database of this class.</summary>
    public Database Database => database ?? throw TestServers.Missing("ARMADA_TEST_PG is not set");

    public NpgsqlDataSource Source => Database.Source;

    public string ConnectionString => connectionString ?? throw TestServers.Missing("ARMADA_TEST_PG is not set");

    /// <summary>Connection string of a further database; a migrated one, or an empty one with whatever options of CREATE DATABASE.</summary>
    public async Task<string> CreateDatabaseAsync(string? options = null)
    {
        var name = "armada_test_" + Guid.NewGuid().ToString("N")[..16];
        await ExecuteAsync($"create database {name} {options ?? "template " + await TemplateAsync()}");
        databases.Add(name);
        return ConnectionStringOf(name);
    }

    /// <summary>A pool that is closed with the fixture.</summary>
    public NpgsqlDataSource Open(string toConnect)
    {
        var source = DatabaseSetup.CreateDataSource(toConnect, 0, 20, "armada-test");
        sources.Add(source);
        return source;
    }

    /// <summary>Drops a database when the fixture ends, though it does not exist yet: for tests that create one.</summary>
    public string NameForTest()
    {
        var name = "armada_test_" + Guid.NewGuid().ToString("N")[..16];
        var toConnect = ConnectionStringOf(name);
        databases.Add(name);
        return toConnect;
    }

    /// <summary>As superuser, outside of the databases under test.</summary>
    public static async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(ConnectionStringOf(null));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var source in sources) await source.DisposeAsync();
        if (Environment.GetEnvironmentVariable("ARMADA_TEST_PG_THROWAWAY") == "1") return;
        foreach (var name in databases) await ExecuteAsync($"drop database if exists {name} with (force)");
    }

    private static string ConnectionStringOf(string? name)
    {
        var given = TestServers.Address("ARMADA_TEST_PG") ?? throw TestServers.Missing("ARMADA_TEST_PG is not set");
        var settings = new NpgsqlConnectionStringBuilder(given);
        if (name is null) settings.Pooling = false;
        else settings.Database = name;
        return settings.ConnectionString;
    }

    /// <summary>Made once for each state of the migrations, whoever comes first: test programs run at the same time.</summary>
    private static async Task<string> TemplateAsync()
    {
        await Gate.WaitAsync();
        try
        {
            if (template is not null) return template;
            var all = string.Concat(Migrations.All.Select(m => m.Name + m.Sql));
            var name = "armada_template_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all)))[..16];
            await using var connection = new NpgsqlConnection(ConnectionStringOf(null));
            await connection.OpenAsync();
            await RunAsync("select pg_advisory_lock(4711)");
            if (await RunAsync($"select 1 from pg_database where datname = '{name}' and datistemplate") is null)
            {
                await RunAsync($"drop database if exists {name}");
                await RunAsync($"create database {name} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0");
                await using (var source = DatabaseSetup.CreateDataSource(ConnectionStringOf(name), 0, 2))
                    await Migrations.ApplyAsync(source, CancellationToken.None);
                await RunAsync($"alter database {name} with is_template true");
            }
            return template = name;

            async Task<object?> RunAsync(string sql)
            {
                await using var command = new NpgsqlCommand(sql, connection);
                return await command.ExecuteScalarAsync();
            }
        }
        finally
        {
            Gate.Release();
        }
    }
}

using Matrix.Replication;
using Matrix.Storage;
using Matrix.Storage.Instances;
using Matrix.Testing.Servers;
using Matrix.Testing.Time;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Matrix.StorageTests.Instances;

public class InstanceDirectoryTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private static readonly CancellationToken Soon = new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token;

    [Fact]
    public async Task A_newcomer_is_seen_at_once_and_one_that_leaves_too()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        await using var watcher = new Process(connectionString);
        await watcher.StartAsync();
        await using var sync = new Process(connectionString, Instance("sync-1", "sync"), Instance("sync-2", "sync", "big"));
        await sync.StartAsync();
        await watcher.UntilAsync(d => d.All.Count == 2);
        Assert.Equal(["sync-1"], watcher.Directory.Of("sync").Select(i => i.Name));
        Assert.Equal(["sync-2"], watcher.Directory.Of("big").Select(i => i.Name));
        Assert.Empty(watcher.Directory.Of("media"));
        Assert.Equal(Instance("sync-1", "sync"), watcher.Directory.All[0]);

        var version = watcher.Directory.Version;
        var change = watcher.Directory.WaitForChangeAsync(version, Soon);
        sync.Lifetime.StopApplication();
        await change;
        await watcher.UntilAsync(d => d.All.Count == 0);
    }

    [Fact]
    public async Task A_heartbeat_that_grew_old_takes_an_instance_off_the_list()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        await SqlAsync(connectionString,
            """
            insert into instances values ('fresh', 's', 's', 'http://a', 'http://b', 1, clock_timestamp() + interval '1 hour'),
                ('old', 's', 's', 'http://a', 'http://b', 1, clock_timestamp() - interval '6 seconds'),
                ('ancient', 's', 's', 'http://a', 'http://b', 1, clock_timestamp() - interval '2 hours')
            """);
        await using var watcher = new Process(connectionString);
        await watcher.StartAsync();
        await watcher.UntilAsync(d => d.All.Count == 1);
        Assert.Equal("fresh", watcher.Directory.All[0].Name);
        Assert.Equal(2L, await SqlAsync(connectionString, "select count(*) from instances"));
    }

    [Fact]
    public async Task Addresses_that_are_known_late_are_registered_then()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        var known = false;
        await using var process = new Process(connectionString, () => known ? [Instance("push-1", "push")] : throw new InvalidOperationException("not yet"));
        await process.StartAsync();
        await process.RegisteredAsync();
        known = true;
        await process.UntilAsync(d => d.All.Count == 1);
    }

    [Fact]
    public async Task A_row_that_was_removed_by_mistake_comes_back_with_the_next_heartbeat()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        await using var process = new Process(connectionString, Instance("push-1", "push"));
        await process.StartAsync();
        await process.UntilAsync(d => d.All.Count == 1);
        await SqlAsync(connectionString, "delete from instances; notify armada_instances");
        await process.UntilAsync(d => d.Version >= 1 && d.All.Count == 1);
        while (await SqlAsync(connectionString, "select count(*) from instances") is not 1L) Soon.ThrowIfCancellationRequested();
    }

    [Fact]
    public async Task Leaving_does_not_remove_a_successor_of_the_same_name()
    {
        await using var connection = await postgres.Source.OpenConnectionAsync();
        var (old, successor) = (Instance("push-1", "push"), Instance("push-1", "push") with { StartedTsMs = 100 });
        await InstanceStore.BeatAndListAsync(connection, [old], default);
        await InstanceStore.BeatAndListAsync(connection, [successor], default);
        await InstanceStore.RemoveAsync(connection, [old], default);
        Assert.Equal([(successor, true)], await InstanceStore.BeatAndListAsync(connection, [], default));
        await InstanceStore.RemoveAsync(connection, [successor], default);
        Assert.Empty(await InstanceStore.BeatAndListAsync(connection, [], default));
    }

    [Fact]
    public async Task The_last_list_stands_while_the_database_is_away()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database;
        await using var process = new Process(connectionString, Instance("push-1", "push"));
        await process.StartAsync();
        await process.UntilAsync(d => d.All.Count == 1);
        await PostgresFixture.ExecuteAsync($"alter database {name} allow_connections false");
        await PostgresFixture.ExecuteAsync($"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        Assert.Single(process.Directory.All);
        await PostgresFixture.ExecuteAsync($"alter database {name} allow_connections true");
        await SqlAsync(connectionString, "insert into instances values ('sync-1', 's', 's', 'http://a', 'http://b', 1, clock_timestamp() + interval '1 hour')");
        await process.UntilAsync(d => d.All.Count == 2);
    }

    [Fact]
    public void After_a_pause_of_the_database_nobody_is_thought_dead_before_he_could_write_again()
    {
        var (a, b, c) = (Instance("a", "s"), Instance("b", "s"), Instance("c", "s"));
        var list = new InstanceList([a, b], 1);
        Assert.Equal([a, b], list.After([(a, true), (b, false), (c, false)], grace: true));
        Assert.Equal([a], list.After([(a, true), (b, false), (c, false)], grace: false));
        Assert.Equal([b, c], list.After([(c, true), (b, true)], grace: true));
    }

    private static ServiceInstance Instance(string name, string service, string? group = null) =>
        new(name, service, group ?? service, "http://127.0.0.1:1", "http://127.0.0.1:2", 7);

    private async Task<object?> SqlAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>The directory of one process.</summary>
    private sealed class Process : IAsyncDisposable
    {
        public Process(string connectionString, params ServiceInstance[] own) : this(connectionString, () => own)
        {
        }

        public Process(string connectionString, Func<IReadOnlyList<ServiceInstance>> own)
        {
            Directory = new InstanceDirectory(
                new StorageOptions { ConnectionString = connectionString }, new OwnInstances(own), Lifetime, TimeProvider.System,
                NullLogger<InstanceDirectory>.Instance);
        }

        public InstanceDirectory Directory { get; }
        public TestLifetime Lifetime { get; } = new();

        public async Task StartAsync()
        {
            await Directory.StartAsync(default);
            Lifetime.Start();
        }

        /// <summary>The first attempt is over.</summary>
        public Task RegisteredAsync() => Directory.Registering;

        public async Task UntilAsync(Func<InstanceDirectory, bool> holds)
        {
            while (true)
            {
                var version = Directory.Version;
                if (holds(Directory)) return;
                await Directory.WaitForChangeAsync(version, Soon);
            }
        }

        public ValueTask DisposeAsync() => Directory.DisposeAsync();
    }

    private sealed class TestLifetime : IHostApplicationLifetime
    {
        private readonly CancellationTokenSource started = new();
        private readonly CancellationTokenSource stopping = new();

        public CancellationToken ApplicationStarted => started.Token;
        public CancellationToken ApplicationStopping => stopping.Token;
        public CancellationToken ApplicationStopped => CancellationToken.None;
        public void Start() => started.Cancel();
        public void StopApplication() => stopping.Cancel();
    }
}

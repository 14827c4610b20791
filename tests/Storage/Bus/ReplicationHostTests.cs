using System.Text;
using Matrix.Replication;
using Matrix.Storage;
using Matrix.Storage.Setup;
using Matrix.Storage.Streams;
using Matrix.Testing.Replication;
using Matrix.Testing.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Matrix.StorageTests.Bus;

/// <summary>Whole processes as their registration makes them, over real servers.</summary>
public class ReplicationHostTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task While_redis_dies_and_comes_back_under_load_every_row_arrives_once_and_in_order()
    {
        await using var redis = new OwnRedis();
        await redis.StartAsync();
        var connectionString = await postgres.CreateDatabaseAsync();
        var consumer = new RecordingConsumer(Streams.Caches);
        using var writer = Host(connectionString, redis, "writer");
        using var reader = Host(connectionString, redis, "reader", consumer);
        await writer.StartAsync();
        await reader.StartAsync();
        await HealthAsync(reader, HealthStatus.Healthy);

        var (database, publisher) = (writer.Services.GetRequiredService<Database>(), writer.Services.GetRequiredService<IStreamPublisher>());
        var follower = reader.Services.GetRequiredService<IStreamFollower>();
        long written = 0;
        async Task WriteAsync()
        {
            IReadOnlyList<(string, ReadOnlyMemory<byte>)> rows = [($"token:{written}", Encoding.UTF8.GetBytes("x"))];
            var (from, to) = await StreamCounters.AppendAsync(database, Streams.Caches, rows, default);
            await publisher.PublishAsync(Streams.Caches, from, to, StreamCounters.Number(from, rows), default);
            written = to;
        }
        async Task WriteAndReachAsync()
        {
            for (var i = 0; i < 50; i++) await WriteAsync();
            while (follower.Position(Streams.Caches) < written) await Task.Yield();
        }

        await WriteAndReachAsync();
        await redis.KillAsync();
        await WriteAndReachAsync();
        await HealthAsync(reader, HealthStatus.Degraded);
        await WriteAndReachAsync();
        await redis.StartAsync();
        await WriteAndReachAsync();
        await HealthAsync(reader, HealthStatus.Healthy);
        await WriteAndReachAsync();

        Assert.Equal(Enumerable.Range(0, 250).Select(i => $"token:{i}"), consumer.Rows(Streams.Caches).Select(r => r.Key));
        Assert.Empty(consumer.Breaches);
        // The writer's own view is never behind its own writes.
        Assert.Equal(written, writer.Services.GetRequiredService<IStreamFollower>().Position(Streams.Caches));
        await reader.StopAsync();
        await writer.StopAsync();
    }

    [Fact]
    public async Task Processes_see_each_other_and_call_nobody_who_left()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        using var one = Host(connectionString, null, "sync-1");
        using var two = Host(connectionString, null, "sync-2");
        await one.StartAsync();
        await two.StartAsync();
        var directory = one.Services.GetRequiredService<IInstanceDirectory>();
        await UntilAsync(directory, 2);
        await two.StopAsync();
        await UntilAsync(directory, 1);
        Assert.Equal(["sync-1"], directory.All.Select(i => i.Name));
        await one.StopAsync();

        static async Task UntilAsync(IInstanceDirectory directory, int count)
        {
            using var enough = new CancellationTokenSource(Long);
            while (directory.Version is var version && directory.Of("sync").Count != count) await directory.WaitForChangeAsync(version, enough.Token);
        }
    }

    [Fact]
    public async Task A_process_does_not_start_before_the_schema_is_there()
    {
        var connectionString = await postgres.CreateDatabaseAsync("template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'");
        using var host = Host(connectionString, null, "early");
        var starting = host.StartAsync();
        Assert.False(starting.IsCompleted);
        await Migrations.ApplyAsync(postgres.Open(connectionString), default);
        await starting.WaitAsync(Long);
        Assert.True(host.Services.GetRequiredService<IStreamFollower>().IsReady);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_process_refuses_to_start_on_a_schema_that_it_does_not_know()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        await using (var command = postgres.Open(connectionString).CreateCommand("insert into schema_version values (9999, 0, 9999)"))
            await command.ExecuteNonQueryAsync();
        using var host = Host(connectionString, null, "old");
        await Assert.ThrowsAsync<DatabaseFaultException>(() => host.StartAsync());
    }

    [Fact]
    public void A_fleet_without_a_secret_is_refused() => Assert.Throws<ArgumentException>(
        () => new ServiceCollection().AddMatrixReplication(new ReplicationOptions { InstanceName = "a", Redis = new("127.0.0.1:1", "p") }));

    private static IHost Host(string connectionString, OwnRedis? redis, string name, params IStreamConsumer[] consumers)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.ClearProviders();
        builder.Services.AddMatrixStorage(
            new StorageOptions { ConnectionString = connectionString, ApplicationName = name },
            _ => [new ServiceInstance(name, "sync", "sync", "http://127.0.0.1:1", "http://127.0.0.1:2", 1)]);
        builder.Services.AddMatrixReplication(new ReplicationOptions
        {
            InstanceName = name,
            Redis = redis is null ? null : new(redis.ConnectionString, "test"),
            Secret = "secret",
        });
        foreach (var consumer in consumers) builder.Services.AddSingleton(consumer);
        return builder.Build();
    }

    private static async Task HealthAsync(IHost host, HealthStatus expected)
    {
        using var enough = new CancellationTokenSource(Long);
        var health = host.Services.GetRequiredService<HealthCheckService>();
        while ((await health.CheckHealthAsync(enough.Token)).Status != expected) await Task.Yield();
    }
}

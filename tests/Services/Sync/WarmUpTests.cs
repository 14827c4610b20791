using Matrix.ServiceTests.Hosting;
using Matrix.Sync;
using Matrix.Sync.Engine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Matrix.ServiceTests.Sync;

public sealed class WarmUpTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private Task<ServiceHost> StartAsync(string instance) => ServiceHost.StartAsync(
        fixture.Postgres.ConnectionString, b => b.AddSync().AddSyncWarmUp(), e => e.MapSync(), instance: instance);

    private static async Task<HealthStatus> HealthAsync(ServiceHost host) =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(r => r.Name == "warm-up")).Status;

    [Fact]
    public async Task A_process_is_ready_once_it_has_answered_for_somebody_and_leaves_no_trace_of_it()
    {
        var alice = fixture.NewUser();
        await alice.CreateRoomAsync();
        await using (var insert = fixture.Postgres.Source.CreateCommand("insert into users (user_id, created_ts_ms) values ($1, 0) on conflict do nothing"))
        {
            insert.Parameters.AddWithValue(alice.Id);
            await insert.ExecuteNonQueryAsync();
        }
        await using var host = await StartAsync("warm");
        await host.Services.GetRequiredService<WarmUp>().ExecuteTask!;
        Assert.Equal(HealthStatus.Healthy, await HealthAsync(host));
        var state = host.Services.GetRequiredService<SyncState>();
        using (state.Read()) Assert.NotEmpty(state.Users);
        await using var connections = fixture.Postgres.Source.CreateCommand("select count(*) from sliding_connections");
        Assert.Equal(0L, await connections.ExecuteScalarAsync());
    }

    [Fact]
    public async Task It_is_not_ready_before()
    {
        await using var host = await StartAsync("cold");
        // Of the same kind, but never started.
        var cold = ActivatorUtilities.CreateInstance<WarmUp>(host.Services);
        Assert.Equal(HealthStatus.Unhealthy, (await cold.CheckHealthAsync(new HealthCheckContext())).Status);
        await host.Services.GetRequiredService<WarmUp>().ExecuteTask!;
    }
}

using System.Diagnostics;
using Matrix.Replication;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Streams;
using Matrix.Sync.Engine;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>Instances: two that stay, and replicas that come and go.</summary>
internal sealed class ModelFleet(SyncFixture fixture, int seed) : IAsyncDisposable
{
    private const int MostReplicas = 2;
    private readonly List<ServiceHost> replicas = [];
    private int started;

    private IEnumerable<ServiceHost> All => [fixture.One, fixture.Two, .. replicas];

    public ServiceHost Any(Random random) => random.Next(2 + replicas.Count) switch { 0 => fixture.One, 1 => fixture.Two, var n => replicas[n - 2] };

    /// <summary>An instance forgets whatever nobody asks for at this moment.</summary>
    public void Evict(Random random) => Any(random).Services.GetRequiredService<CacheKeeper>().Evict(0);

    /// <summary>A replica comes or goes.</summary>
    public async Task RescaleAsync(Random random)
    {
        if (replicas.Count == 0 || (replicas.Count < MostReplicas && random.Next(2) == 0))
        {
            await AddAsync();
            return;
        }
        var gone = replicas[random.Next(replicas.Count)];
        replicas.Remove(gone);
        await gone.DisposeAsync();
    }

    /// <summary>A replica that knows nothing yet.</summary>
    public async Task AddAsync() => replicas.Add(await fixture.StartAsync($"model{seed}-{started++}"));
    public ServiceHost Newest => replicas[^1];

    /// <summary>Until every instance hears the bus, and has applied all that is committed and said.</summary>
    public async Task SettleAsync()
    {
        foreach (var host in All) await UntilAsync(() => host.Services.GetRequiredService<IReplicationBus>().IsConnected, "an instance never found its bus again");
        foreach (var host in All)
        {
            var state = host.Services.GetRequiredService<SyncState>();
            var positions = await host.Services.GetRequiredService<IStreamSource>().GetPositionsAsync(default);
            var bus = host.Services.GetRequiredService<IReplicationBus>();
            var presence = await bus.GetEphemeralPositionAsync(Streams.Presence, default);
            var typing = await bus.GetEphemeralPositionAsync(Streams.Typing, default);
            await UntilAsync(IsThere, "an instance never came as far as the database");

            bool IsThere()
            {
                Positions now;
                using (state.Read()) now = state.Now;
                return now.Persistent.All(p => p.Position >= positions.GetValueOrDefault(p.Stream)) && now.Presence >= presence && now.Typing >= typing;
            }
        }
    }

    private static async Task UntilAsync(Func<bool> isSo, string otherwise)
    {
        var clock = Stopwatch.StartNew();
        while (!isSo())
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), otherwise);
            await Task.Yield();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in replicas) await replica.DisposeAsync();
    }
}

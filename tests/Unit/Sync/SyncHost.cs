using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Replication.Following;
using Matrix.ServiceDefaults;
using Matrix.Sync;
using Matrix.Sync.Answers;
using Matrix.Sync.Engine;
using Matrix.Sync.Sliding;
using Matrix.Sync.Users;
using Matrix.Testing.Replication;
using Matrix.Testing.Time;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.Unit.Sync;

/// <summary>A Sync without HTTP and without servers: engine, follower, lossy bus, a database in memory, a clock that the test moves.</summary>
internal sealed class SyncHost : IAsyncDisposable
{
    private readonly MemoryStreamSource source;
    private readonly LossyBus bus;
    private readonly StreamFollower follower;
    private readonly ServiceProvider services;
    private readonly CancellationTokenSource stopped = new();

    /// <param name="beside">Another instance over the same database; null: the first one.</param>
    public SyncHost(int seed = 0, BusFaults? faults = null, long cacheBudget = 256 << 20, SyncHost? beside = null)
    {
        source = beside?.source ?? new MemoryStreamSource();
        bus = new LossyBus(seed, faults ?? BusFaults.None, Time);
        var late = new LateConsumer();
        follower = new StreamFollower(source, bus, () => [late], new FollowerOptions { PageSize = 5 }, Time, NullLogger<StreamFollower>.Instance);
        Store = beside?.Store ?? new MemorySyncStore(source);
        var collection = new ServiceCollection();
        collection.AddSingleton<TimeProvider>(Time);
        collection.AddSingleton<IStreamFollower>(follower);
        collection.AddSingleton<Matrix.Sync.Store.ISyncStore>(Store);
        collection.AddSingleton<IHostApplicationLifetime>(new Lifetime());
        collection.AddSingleton(typeof(ILogger<>), typeof(NullLogger<>));
        collection.AddSingleton(new HomeserverConfig { ServerName = "x", Database = new DatabaseConfig { ConnectionString = "" }, CacheBudgetBytes = cacheBudget });
        collection.AddMetrics();
        collection.AddSyncEngine();
        collection.AddSingleton<CacheKeeper>();
        services = collection.BuildServiceProvider();
        late.Inner = services.GetRequiredService<StreamApplier>();
    }

    public ManualTime Time { get; } = new();
    public MemorySyncStore Store { get; }
    public SyncState State => services.GetRequiredService<SyncState>();
    public CacheKeeper Keeper => services.GetRequiredService<CacheKeeper>();

    public async Task<SyncHost> StartAsync()
    {
        await follower.StartAsync(CancellationToken.None);
        await services.GetRequiredService<ContactNews>().StartAsync(stopped.Token);
        return this;
    }

    /// <summary>Frames go to the bus; what it does with them is another matter.</summary>
    public async Task PublishAsync(params IEnumerable<StreamFrame> frames)
    {
        foreach (var frame in frames) await bus.PublishAsync(frame, CancellationToken.None);
    }

    /// <summary>Lets the bus deliver and moves the clock, slower than work that is under way, until <paramref name="done"/> holds.</summary>
    public async Task UntilAsync(Func<bool> done, string what)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        for (var i = 0; !done(); i++)
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"never: {what}");
            await bus.PumpAsync();
            if (i % 20 == 0) Time.Advance(TimeSpan.FromMilliseconds(1));
            await Task.Yield();
        }
    }

    /// <summary>The instance has all that was committed.</summary>
    public Task SettleAsync() => UntilAsync(
        () =>
        {
            using (State.Read())
                return follower.CatchUpsUnderWay == 0 && bus.Travelling == 0
                    && Streams.All.Where(s => !s.IsEphemeral).All(s => State.Position(s) == source.Position(s));
        },
        "positions equal to the source");

    public async Task<JsonElement> SyncAsync(string userId, string? since = null, string filter = "{}", string device = "D", int timeoutMs = 0, CancellationToken ct = default, bool stateAfter = false)
    {
        var parsed = Filter.Parse(System.Text.Encoding.UTF8.GetBytes(filter)).Value!;
        Positions? token = since is null ? null : Positions.Of(StreamToken.Parse(since));
        var request = new SyncRequest(userId, device, parsed, token, FullState: false, UseStateAfter: stateAfter);
        var answer = services.GetRequiredService<SyncHandler>().HandleAsync(request, TimeSpan.FromMilliseconds(timeoutMs), ct);
        // Waiting for positions is waiting for the clock and the bus, which the test moves.
        if (timeoutMs == 0) await UntilAsync(() => answer.IsCompleted, "an answer");
        using var buffer = await answer;
        return JsonDocument.Parse(buffer.Written.ToArray()).RootElement.Clone();
    }

    /// <summary>Sliding sync, by the names of the proposal.</summary>
    public async Task<JsonElement> SlideAsync(string userId, string json, string? pos = null)
    {
        var request = new SlidingRequestReader(userId, isStable: true).Read(JsonDocument.Parse(json).RootElement, "D");
        var answer = services.GetRequiredService<SlidingHandler>().HandleAsync(request, pos, TimeSpan.Zero, CancellationToken.None);
        await UntilAsync(() => answer.IsCompleted, "an answer");
        using var buffer = await answer;
        return JsonDocument.Parse(buffer.Written.ToArray()).RootElement.Clone();
    }

    public async ValueTask DisposeAsync()
    {
        await stopped.CancelAsync();
        await services.GetRequiredService<ContactNews>().StopAsync(CancellationToken.None);
        await follower.DisposeAsync();
        await services.DisposeAsync();
    }

    private sealed class LateConsumer : IStreamConsumer
    {
        public StreamApplier? Inner { get; set; }
        public IReadOnlyCollection<StreamDefinition> Streams => [.. Matrix.Replication.Streams.All.Where(s => s.Name is not ("caches" or "federation" or "appservice" or "pushers" or "user_directory" or "push_rules"))];
        public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows) => Inner!.OnRowsAsync(stream, from, to, rows);
    }

    private sealed class Lifetime : IHostApplicationLifetime
    {
        public CancellationToken ApplicationStarted => default;
        public CancellationToken ApplicationStopping => default;
        public CancellationToken ApplicationStopped => default;
        public void StopApplication() { }
    }
}

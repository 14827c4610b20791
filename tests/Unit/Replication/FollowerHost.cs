using Matrix.Replication;
using Matrix.Replication.Following;
using Matrix.Testing.Replication;
using Matrix.Testing.Time;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.Unit.Replication;

/// <summary>One process that follows streams, with everything around it under the test's control.</summary>
internal sealed class FollowerHost : IAsyncDisposable
{
    private static readonly FollowerOptions Options = new() { PageSize = 3 };

    public FollowerHost(int seed = 0, BusFaults? faults = null, params IStreamConsumer[] consumers)
    {
        Bus = new LossyBus(seed, faults ?? BusFaults.None, Time);
        Follower = new StreamFollower(Source, Bus, () => consumers, Options, Time, NullLogger<StreamFollower>.Instance);
        Publisher = new StreamPublisher(Follower, Bus, new PublisherOptions("test"));
    }

    private bool isFollowing;

    public ManualTime Time { get; } = new();
    public MemoryStreamSource Source { get; } = new();
    public LossyBus Bus { get; }
    public StreamFollower Follower { get; }
    public StreamPublisher Publisher { get; }

    public static IReadOnlyList<(string, byte[])> Row(string key, params byte[] payload) => [(key, payload)];

    public async Task StartAsync()
    {
        await Follower.StartAsync(CancellationToken.None);
        isFollowing = true;
    }

    public ValueTask PublishAsync(StreamFrame frame) => Bus.PublishAsync(frame, CancellationToken.None);

    /// <summary>Moves the clock in small steps and lets the bus deliver, until <paramref name="done"/> holds.</summary>
    public async Task UntilAsync(Func<bool> done, string what)
    {
        for (var i = 0; i < 200_000; i++)
        {
            await ComparedAsync();
            if (done()) return;
            await Bus.PumpAsync();
            Time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }
        Assert.Fail($"never: {what}");
    }

    /// <summary>The follower has done what was due and waits for the next time.</summary>
    public async Task ComparedAsync()
    {
        while (isFollowing && Time.Waiting == 0) await Task.Yield();
    }

    public Task SettledAsync() => UntilAsync(
        () => Follower.CatchUpsUnderWay == 0 && Bus.Travelling == 0
            && Streams.All.Where(s => !s.IsEphemeral).All(s => Follower.Position(s) == Source.Position(s)),
        "positions equal to the source");

    public ValueTask DisposeAsync()
    {
        isFollowing = false;
        return Follower.DisposeAsync();
    }
}

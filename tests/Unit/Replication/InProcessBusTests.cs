using System.Threading.Channels;
using Matrix.Replication;
using Matrix.Replication.Buses;
using Matrix.Testing.Time;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.Unit.Replication;

public class InProcessBusTests
{
    private readonly ManualTime time = new();
    private readonly InProcessBus bus;

    public InProcessBusTests() => bus = new InProcessBus(time, NullLogger<InProcessBus>.Instance);

    [Fact]
    public async Task Every_subscriber_gets_the_frames_of_its_streams_in_order()
    {
        var (all, caches) = (Channel.CreateUnbounded<StreamFrame>(), Channel.CreateUnbounded<StreamFrame>());
        await using var first = bus.Subscribe([Streams.Events, Streams.Caches], f => all.Writer.WriteAsync(f));
        await using var second = bus.Subscribe([Streams.Caches], f => caches.Writer.WriteAsync(f));
        for (var i = 0; i < 100; i++) await bus.PublishAsync(new(Streams.Events, i, i + 1, "w", []), default);
        await bus.PublishAsync(new(Streams.Caches, 0, 1, "w", []), default);
        for (var i = 0; i < 100; i++)
        {
            var frame = await all.Reader.ReadAsync();
            if (frame.Stream == Streams.Caches) frame = await all.Reader.ReadAsync();
            Assert.Equal(i, frame.From);
        }
        Assert.Equal(Streams.Caches, (await caches.Reader.ReadAsync()).Stream);
    }

    [Fact]
    public async Task A_subscriber_that_fails_or_leaves_does_not_disturb_the_others()
    {
        var heard = Channel.CreateUnbounded<StreamFrame>();
        await using var failing = bus.Subscribe([Streams.Events], _ => throw new InvalidOperationException());
        var leaving = bus.Subscribe([Streams.Events], f => heard.Writer.WriteAsync(f));
        await bus.PublishAsync(new(Streams.Events, 0, 1, "w", []), default);
        await leaving.DisposeAsync();
        await bus.PublishAsync(new(Streams.Events, 1, 2, "w", []), default);
        Assert.Equal(0, (await heard.Reader.ReadAsync()).From);
        Assert.False(heard.Reader.TryRead(out _));
    }

    [Fact]
    public async Task A_slow_subscriber_loses_frames_and_holds_nobody_up()
    {
        var wait = new TaskCompletionSource();
        var got = 0;
        await using (bus.Subscribe([Streams.Events], async _ => { await wait.Task; Interlocked.Increment(ref got); }))
        {
            for (var i = 0; i < 5000; i++) await bus.PublishAsync(new(Streams.Events, i, i + 1, "w", []), default);
            wait.SetResult();
        }
        Assert.InRange(got, 1024, 1100);
    }

    [Fact]
    public async Task Ephemeral_positions_begin_at_the_clock_and_the_newest_of_each_key_is_kept_for_a_while()
    {
        Assert.Equal(0, await bus.GetEphemeralPositionAsync(Streams.Typing, default));
        var first = await bus.PublishEphemeralAsync(Streams.Typing, "!a", new byte[] { 1 }, default);
        Assert.Equal(time.GetUtcNow().ToUnixTimeMilliseconds() * 1000 + 1, first);
        await bus.PublishEphemeralAsync(Streams.Typing, "!b", new byte[] { 2 }, default);
        await bus.PublishEphemeralAsync(Streams.Typing, "!a", new byte[] { 3 }, default);
        var page = (await bus.TryReadEphemeralAsync(Streams.Typing, 0, 10, default))!;
        Assert.Equal([("!b", first + 1), ("!a", first + 2)], page.Rows.Select(r => (r.Key, r.Position)));
        Assert.Equal((first - 1, first + 2), (page.Base, page.To));
        Assert.Equal((first + 1, 1), ((await bus.TryReadEphemeralAsync(Streams.Typing, 0, 1, default))!.To, 1));
        time.Advance(TimeSpan.FromMinutes(3));
        Assert.Empty((await bus.TryReadEphemeralAsync(Streams.Typing, 0, 10, default))!.Rows);
    }
}

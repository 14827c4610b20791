using System.Threading.Channels;
using Matrix.Replication;
using Matrix.Replication.Buses;
using Matrix.Testing.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.StorageTests.Bus;

public class RedisBusTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly CancellationToken Soon = new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token;

    [Fact]
    public async Task Frames_of_a_stream_arrive_as_they_were_and_in_order()
    {
        var prefix = redis.NewPrefix();
        await using var writer = NewBus(redis.ConnectionString, prefix);
        await using var reader = NewBus(redis.ConnectionString, prefix);
        var frames = Channel.CreateUnbounded<StreamFrame>();
        await using var subscription = reader.Subscribe([Streams.Events, Streams.Caches], f => frames.Writer.WriteAsync(f));
        await ConnectedAsync(writer, frames, Streams.Events);
        const int Count = 800;
        for (var i = 0; i < Count; i++)
            await writer.PublishAsync(Frame(Streams.Events, i), Soon);
        for (var i = 0; i < Count; i++)
        {
            var frame = await frames.Reader.ReadAsync(Soon);
            Assert.Equal((Streams.Events, i, i + 1, "w"), (frame.Stream, frame.From, frame.To, frame.Writer));
            Assert.Equal(("!r", 5), (frame.Rows[0].Key, frame.Rows[0].Payload.Length));
        }
    }

    [Fact]
    public async Task Homeservers_that_share_a_redis_do_not_hear_each_other()
    {
        await using var writer = NewBus(redis.ConnectionString, redis.NewPrefix());
        await using var other = NewBus(redis.ConnectionString, redis.NewPrefix());
        var (heard, own) = (Channel.CreateUnbounded<StreamFrame>(), Channel.CreateUnbounded<StreamFrame>());
        await using var foreign = other.Subscribe([Streams.Events], f => heard.Writer.WriteAsync(f));
        await using var mine = writer.Subscribe([Streams.Events], f => own.Writer.WriteAsync(f));
        await ConnectedAsync(other, heard, Streams.Events);
        await ConnectedAsync(writer, own, Streams.Events);
        await writer.PublishAsync(Frame(Streams.Events, 0), Soon);
        await own.Reader.ReadAsync(Soon);
        await writer.PublishEphemeralAsync(Streams.Typing, "!r", new byte[1], Soon);
        await other.PublishAsync(Frame(Streams.Events, 7), Soon);
        Assert.Equal(7, (await heard.Reader.ReadAsync(Soon)).From);
        Assert.Equal(0, await other.GetEphemeralPositionAsync(Streams.Typing, Soon));
    }

    [Fact]
    public async Task Ephemeral_rows_get_positions_arrive_and_the_newest_of_each_key_are_kept()
    {
        var prefix = redis.NewPrefix();
        await using var bus = NewBus(redis.ConnectionString, prefix);
        await using var other = NewBus(redis.ConnectionString, prefix);
        var frames = Channel.CreateUnbounded<StreamFrame>();
        await using var subscription = other.Subscribe([Streams.Typing, Streams.Events], f => frames.Writer.WriteAsync(f));
        await ConnectedAsync(bus, frames, Streams.Events);
        Assert.Equal(0, await bus.GetEphemeralPositionAsync(Streams.Typing, Soon));
        Assert.Equal((0, 0), await HeadAsync(bus));
        var binary = Enumerable.Range(0, 256).Select(i => (byte)i).ToArray();
        var first = await bus.PublishEphemeralAsync(Streams.Typing, "!a:é", binary, Soon);
        Assert.Equal(first + 1, await other.PublishEphemeralAsync(Streams.Typing, "!b", new byte[] { 2 }, Soon));
        Assert.Equal(first + 2, await bus.PublishEphemeralAsync(Streams.Typing, "!b", new byte[] { 3 }, Soon));
        for (var i = 0; i < 3; i++)
        {
            var frame = await frames.Reader.ReadAsync(Soon);
            Assert.Equal((Streams.Typing, first + i - 1, first + i), (frame.Stream, frame.From, frame.To));
            if (i == 0) Assert.Equal(("!a:é", first, Convert.ToHexString(binary)), (frame.Rows[0].Key, frame.Rows[0].Position, Convert.ToHexString(frame.Rows[0].Payload.Span)));
        }
        Assert.Equal(first + 2, await bus.GetEphemeralPositionAsync(Streams.Typing, Soon));

        var page = (await other.TryReadEphemeralAsync(Streams.Typing, 0, 100, Soon))!;
        Assert.Equal((first - 1, first + 2), (page.Base, page.To));
        Assert.Equal([("!a:é", first), ("!b", first + 2)], page.Rows.Select(r => (r.Key, r.Position)));
        Assert.Equal(binary, page.Rows[0].Payload.ToArray());
        Assert.Equal([3], page.Rows[1].Payload.ToArray());
        page = (await other.TryReadEphemeralAsync(Streams.Typing, 0, 1, Soon))!;
        Assert.Equal((first, 1), (page.To, page.Rows.Count));
        page = (await other.TryReadEphemeralAsync(Streams.Typing, first, 100, Soon))!;
        Assert.Equal(["!b"], page.Rows.Select(r => r.Key));
        page = (await other.TryReadEphemeralAsync(Streams.Typing, first + 2, 100, Soon))!;
        Assert.Equal((first + 2, 0), (page.To, page.Rows.Count));

        static async Task<(long, long)> HeadAsync(RedisBus bus) =>
            await bus.TryReadEphemeralAsync(Streams.Typing, 0, 9, Soon) is { } page ? (page.Base, page.To) : (-1, -1);
    }

    [Fact]
    public async Task A_server_that_was_killed_and_started_again_is_found_by_itself()
    {
        await using var server = new OwnRedis();
        await server.StartAsync();
        await using var writer = NewBus(server.ConnectionString, "t");
        await using var reader = NewBus(server.ConnectionString, "t");
        var frames = Channel.CreateUnbounded<StreamFrame>();
        await using var subscription = reader.Subscribe([Streams.Events], f => frames.Writer.WriteAsync(f));
        await ConnectedAsync(writer, frames, Streams.Events);
        var before = await writer.PublishEphemeralAsync(Streams.Typing, "!a", new byte[1], Soon);
        for (var round = 0; round < 2; round++)
        {
            await server.KillAsync();
            while (writer.IsConnected || reader.IsConnected)
            {
                // Neither throws nor waits: the database has it.
                await writer.PublishAsync(Frame(Streams.Events, 1), Soon);
                Soon.ThrowIfCancellationRequested();
                await Task.Yield();
            }
            Assert.Equal(0, await writer.PublishEphemeralAsync(Streams.Typing, "!a", new byte[1], Soon));
            Assert.Null(await writer.TryReadEphemeralAsync(Streams.Typing, 0, 9, Soon));
            await server.StartAsync();
            await ConnectedAsync(writer, frames, Streams.Events);
            Assert.True(reader.IsConnected);
            var after = await writer.PublishEphemeralAsync(Streams.Typing, "!a", new byte[1], Soon);
            Assert.True(after > before, "positions ascend though the server lost its data");
            before = after;
        }
    }

    [Fact]
    public async Task A_server_that_starts_late_is_found()
    {
        await using var server = new OwnRedis();
        await using var bus = NewBus(server.ConnectionString, "t");
        var frames = Channel.CreateUnbounded<StreamFrame>();
        await using var subscription = bus.Subscribe([Streams.Events], f => frames.Writer.WriteAsync(f));
        Assert.False(bus.IsConnected);
        await bus.PublishAsync(Frame(Streams.Events, 1), Soon);
        await server.StartAsync();
        await ConnectedAsync(bus, frames, Streams.Events);
    }

    private static RedisBus NewBus(string connectionString, string prefix) =>
        new(new RedisBusOptions(connectionString, prefix), TimeProvider.System, NullLogger<RedisBus>.Instance);

    private static StreamFrame Frame(StreamDefinition stream, long from) =>
        new(stream, from, from + 1, "w", [new StreamRow(from + 1, "!r", new byte[5])]);

    /// <summary>Publishes probes until one arrives and every probe that was sent has; the channel is empty then.</summary>
    private static async Task ConnectedAsync(RedisBus writer, Channel<StreamFrame> frames, StreamDefinition stream)
    {
        var probe = 1_000_000L;
        while (!frames.Reader.TryPeek(out _))
        {
            Soon.ThrowIfCancellationRequested();
            await writer.PublishAsync(Frame(stream, ++probe), Soon);
            using var moment = new CancellationTokenSource(TimeSpan.FromMilliseconds(20));
            await frames.Reader.WaitToReadAsync(moment.Token).AsTask().ContinueWith(_ => { }, TaskScheduler.Default);
        }
        await writer.PublishAsync(Frame(stream, ++probe), Soon);
        while ((await frames.Reader.ReadAsync(Soon)).From != probe) { }
    }
}

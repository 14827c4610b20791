using Matrix.Background.Delayed;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms.Delayed;
using Matrix.Rooms.Writing;
using Matrix.Storage.DelayedEvents;
using Matrix.Testing.Servers;
using Matrix.Testing.Time;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.ServiceTests.Background;

/// <summary>How long the sender of delayed events lets the database alone.</summary>
public sealed class DelayedEventRestTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private readonly ManualTime clock = new();
    private readonly SentEvents sent = new();
    private DelayedEventStore store = null!;
    private DelayedEventDelivery delivery = null!;
    private DelayedEventSender sender = null!;
    private string connection = "";
    private int ids;

    public async ValueTask InitializeAsync()
    {
        connection = await postgres.CreateDatabaseAsync();
        store = new(new(postgres.Open(connection)));
        delivery = new(sent, store, new Tell(this), clock);
        sender = new(store, delivery, clock, NullLogger<DelayedEventSender>.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        await sender.StopAsync(CancellationToken.None);
        sender.Dispose();
    }

    private CountedStatements Count() => new(connection, s => s.Contains("delayed_events", StringComparison.Ordinal));

    /// <summary>True when those who sleep are to be told.</summary>
    private async Task<bool> ScheduleAsync(TimeSpan delay, bool claimed = false)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var e = new DelayedEvent($"d{++ids}", "@a:x", "!r:x", "m.room.message", null, "{}"u8.ToArray(), null, (long)delay.TotalMilliseconds, now);
        var (id, told) = await store.AddAsync(e, "D", e.DelayId, CancellationToken.None);
        if (claimed) Assert.NotNull((await store.ClaimAsync(id, e.UserId, now, now + 120_000, CancellationToken.None)).Event);
        return told is [{ Rows: [{ Key: DelayedEventStore.NextKey }] }];
    }

    private ValueTask TellAsync(string key) => sender.OnRowsAsync(Streams.Caches, 0, 1, [new StreamRow(1, key, default)]);

    private Task RestsAsync() => ComesAsync(() => clock.Waiting > 0);

    /// <summary>Without the clock being moved; fails where it would wait for ever.</summary>
    private static async Task ComesAsync(Func<bool> done)
    {
        var since = System.Diagnostics.Stopwatch.StartNew();
        while (!done())
        {
            Assert.True(since.Elapsed < TimeSpan.FromSeconds(20), "never came");
            await Task.Yield();
        }
    }

    /// <summary>Somebody wants it sent now; the task ends when the room has answered.</summary>
    private async Task<Task<MatrixError?>> SendByHandAsync(string id)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var (claimed, _) = await store.ClaimAsync(id, "@a:x", now, now + (long)DelayedEventDelivery.ClaimLife.TotalMilliseconds, CancellationToken.None);
        return delivery.DeliverAsync(claimed!, true, CancellationToken.None);
    }

    /// <summary>Lets time pass while the sender sleeps, until it has sent one.</summary>
    private async Task SendsWithinAsync(TimeSpan time)
    {
        var end = clock.GetUtcNow() + time;
        while (sent.All.Length == 0)
        {
            if (clock.Waiting > 0) clock.Advance(TimeSpan.FromMilliseconds(100));
            Assert.InRange(clock.GetUtcNow(), DateTimeOffset.MinValue, end);
            await Task.Yield();
        }
    }

    [Fact]
    public async Task An_idle_sender_asks_twice_a_minute()
    {
        using var sql = Count();
        await sender.StartAsync(CancellationToken.None);
        await RestsAsync();
        Assert.Single(sql.All);
        for (var i = 0; i < 300; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await RestsAsync();
        }
        Assert.InRange(sql.All.Count, 10, 11);
    }

    [Fact]
    public async Task It_sleeps_until_the_next_one_is_due_and_sends_it_then()
    {
        Assert.True(await ScheduleAsync(TimeSpan.FromSeconds(12)));
        await sender.StartAsync(CancellationToken.None);
        await RestsAsync();
        using var sql = Count();
        for (var i = 0; i < 11; i++)
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            await RestsAsync();
        }
        Assert.Empty(sql.All);
        await SendsWithinAsync(TimeSpan.FromSeconds(2));
    }

    [Fact]
    public async Task It_is_woken_by_one_that_is_due_before_all_others()
    {
        Assert.True(await ScheduleAsync(TimeSpan.FromSeconds(20)));
        await sender.StartAsync(CancellationToken.None);
        await RestsAsync();
        Assert.False(await ScheduleAsync(TimeSpan.FromSeconds(21)));
        Assert.True(await ScheduleAsync(TimeSpan.FromSeconds(1)));
        using var sql = Count();
        await TellAsync("user:@a:x");
        Assert.Empty(sql.All);
        await TellAsync(DelayedEventStore.NextKey);
        await ComesAsync(() => sql.All.Count > 0);
        await SendsWithinAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(["d3"], sent.All);
    }

    [Fact]
    public async Task One_that_somebody_has_claimed_keeps_no_other_waiting()
    {
        await ScheduleAsync(TimeSpan.FromSeconds(1), claimed: true);
        Assert.True(await ScheduleAsync(TimeSpan.FromSeconds(5)));
        await sender.StartAsync(CancellationToken.None);
        await RestsAsync();
        await SendsWithinAsync(TimeSpan.FromSeconds(6));
        Assert.Equal(["d2"], sent.All);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(40)]
    public async Task One_whose_sending_by_hand_fails_after_its_time_is_sent_at_once(int seconds)
    {
        Assert.True(await ScheduleAsync(TimeSpan.FromSeconds(seconds)));
        var answer = sent.Hold();
        var byHand = await SendByHandAsync("d1");
        await sender.StartAsync(CancellationToken.None);
        for (var i = 0; i < seconds + 3; i++)
        {
            await RestsAsync();
            clock.Advance(TimeSpan.FromSeconds(1));
        }
        await RestsAsync();
        var failed = clock.GetUtcNow();
        answer.SetResult(MatrixError.Unavailable("later"));
        Assert.NotNull(await byHand);
        await ComesAsync(() => sent.All.Length > 0);
        Assert.Equal(failed, clock.GetUtcNow());
        Assert.Equal(2, sent.Tries);
    }

    [Fact]
    public async Task One_whose_sending_by_hand_fails_before_its_time_is_sent_then()
    {
        Assert.True(await ScheduleAsync(TimeSpan.FromSeconds(12)));
        var answer = sent.Hold();
        var byHand = await SendByHandAsync("d1");
        await sender.StartAsync(CancellationToken.None);
        await RestsAsync();
        answer.SetResult(MatrixError.Forbidden("not now"));
        Assert.NotNull(await byHand);
        await RestsAsync();
        Assert.Equal(1, sent.Tries);
        await SendsWithinAsync(TimeSpan.FromSeconds(13));
    }

    [Fact]
    public async Task What_the_server_fails_to_send_is_tried_again_once_a_second()
    {
        await ScheduleAsync(TimeSpan.FromMilliseconds(1));
        clock.Advance(TimeSpan.FromSeconds(1));
        for (var tries = 1; tries <= 4; tries++)
        {
            sent.Hold().SetResult(MatrixError.Unavailable("later"));
            if (tries == 1) await sender.StartAsync(CancellationToken.None);
            else clock.Advance(TimeSpan.FromSeconds(1));
            await ComesAsync(() => sent.Tries >= tries);
            await RestsAsync();
            Assert.Equal(tries, sent.Tries);
        }
        clock.Advance(TimeSpan.FromSeconds(1));
        await ComesAsync(() => sent.All.Length > 0);
    }

    /// <summary>Brings rows to the sender, as the bus does.</summary>
    private sealed class Tell(DelayedEventRestTests test) : IStreamPublisher
    {
        public ValueTask PublishAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows, CancellationToken ct) =>
            test.sender.OnRowsAsync(stream, from, to, rows);

        public ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct) => throw new NotSupportedException();
    }

    /// <summary>A room that takes everything, unless it is told to answer otherwise.</summary>
    private sealed class SentEvents : IRoomWriter
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> sent = new();
        private TaskCompletionSource<MatrixError>? refusal;
        private int tries;
        public string[] All => [.. sent];
        public int Tries => Volatile.Read(ref tries);

        /// <summary>The next send waits for that and is refused with it.</summary>
        public TaskCompletionSource<MatrixError> Hold()
        {
            var held = new TaskCompletionSource<MatrixError>(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref refusal, held);
            return held;
        }

        public async Task<RoomWriteResult> SendAsync(RoomWrite write, CancellationToken ct)
        {
            Interlocked.Increment(ref tries);
            if (Interlocked.Exchange(ref refusal, null) is { } held) throw (await held.Task).AsException();
            sent.Enqueue(write.TxnId!);
            return new RoomWriteResult([$"${write.TxnId}"], 1);
        }

        public Task<RoomWriteResult> ChangeMembershipAsync(MembershipWrite write, CancellationToken ct) => throw new NotSupportedException();
        public Task<RoomWriteResult> ExchangeThirdPartyInviteAsync(ThirdPartyExchangeWrite write, CancellationToken ct) => throw new NotSupportedException();
        public Task<RoomCreated> CreateRoomAsync(RoomCreationWrite write, CancellationToken ct) => throw new NotSupportedException();
    }
}

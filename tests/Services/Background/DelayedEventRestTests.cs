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
    private DelayedEventSender sender = null!;
    private string connection = "";
    private int ids;

    public async ValueTask InitializeAsync()
    {
        connection = await postgres.CreateDatabaseAsync();
        store = new(new(postgres.Open(connection)));
        sender = new(store, new(sent, store, clock), clock, NullLogger<DelayedEventSender>.Instance);
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

    private async Task RestsAsync()
    {
        while (clock.Waiting == 0) await Task.Yield();
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
        while (sql.All.Count == 0) await Task.Yield();
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

    /// <summary>A room that takes everything.</summary>
    private sealed class SentEvents : IRoomWriter
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> sent = new();
        public string[] All => [.. sent];

        public Task<RoomWriteResult> SendAsync(RoomWrite write, CancellationToken ct)
        {
            sent.Enqueue(write.TxnId!);
            return Task.FromResult(new RoomWriteResult([$"${write.TxnId}"], 1));
        }

        public Task<RoomWriteResult> ChangeMembershipAsync(MembershipWrite write, CancellationToken ct) => throw new NotSupportedException();
        public Task<RoomWriteResult> ExchangeThirdPartyInviteAsync(ThirdPartyExchangeWrite write, CancellationToken ct) => throw new NotSupportedException();
        public Task<RoomCreated> CreateRoomAsync(RoomCreationWrite write, CancellationToken ct) => throw new NotSupportedException();
    }
}

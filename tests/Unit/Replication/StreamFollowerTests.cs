using Matrix.Replication;
using Matrix.Testing.Replication;
using static Matrix.Unit.Replication.FollowerHost;

namespace Matrix.Unit.Replication;

public class StreamFollowerTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private readonly RecordingConsumer consumer = new(Streams.Receipts);

    [Fact]
    public async Task It_begins_at_the_present_and_is_ready_then()
    {
        await using var host = new FollowerHost(consumers: consumer);
        host.Source.Commit(Streams.Receipts, Row("!a"), Row("!b"));
        Assert.False(host.Follower.IsReady);
        await host.StartAsync();
        Assert.True(host.Follower.IsReady);
        Assert.Equal(2, host.Follower.Position(Streams.Receipts));
        Assert.Empty(consumer.Rows(Streams.Receipts));
    }

    [Fact]
    public async Task A_frame_that_joins_is_applied_without_asking_the_database()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        await host.PublishAsync(host.Source.Commit(Streams.Receipts, Row("!a", 1), Row("!b", 2)));
        await host.Bus.PumpAsync();
        Assert.Equal(["!a", "!b"], consumer.Rows(Streams.Receipts).Select(r => r.Key));
        Assert.Equal(2, host.Follower.Position(Streams.Receipts));
        Assert.Equal(0, host.Source.Reads);
    }

    [Fact]
    public async Task A_frame_from_the_future_waits_for_its_predecessor()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        var first = host.Source.Commit(Streams.Receipts, Row("!a"));
        var second = host.Source.Commit(Streams.Receipts, Row("!b"));
        await host.Follower.OfferAsync(second);
        Assert.Equal(0, host.Follower.Position(Streams.Receipts));
        await host.Follower.OfferAsync(first);
        Assert.Equal(["!a", "!b"], consumer.Rows(Streams.Receipts).Select(r => r.Key));
        await host.SettledAsync();
        Assert.Equal(0, host.Source.Reads);
    }

    [Fact]
    public async Task A_gap_is_read_in_pages_after_a_few_milliseconds()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        host.Source.Commit(Streams.Receipts, [.. Enumerable.Range(0, 7).Select(i => Row($"!lost{i}"))]);
        await host.Follower.OfferAsync(host.Source.Commit(Streams.Receipts, Row("!late")));
        Assert.Empty(consumer.Rows(Streams.Receipts));
        host.Time.Advance(TimeSpan.FromMilliseconds(10));
        await host.SettledAsync();
        Assert.Equal(8, consumer.Rows(Streams.Receipts).Count);
        Assert.InRange(host.Source.Reads, 2, 3);
        Assert.Empty(consumer.Breaches);
    }

    [Fact]
    public async Task A_frame_that_overlaps_what_is_known_gives_only_its_new_rows()
    {
        await using var host = new FollowerHost(consumers: consumer);
        host.Source.Commit(Streams.Receipts, Row("!before"));
        await host.StartAsync();
        var frame = host.Source.Commit(Streams.Receipts, Row("!a"), Row("!b"));
        await host.Follower.OfferAsync(frame with { From = 0, Rows = [new(1, "!before", default), .. frame.Rows] });
        Assert.Equal(["!a", "!b"], consumer.Rows(Streams.Receipts).Select(r => r.Key));
        Assert.Empty(consumer.Breaches);
    }

    [Fact]
    public async Task The_last_frame_that_was_lost_is_found_within_a_second()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        host.Source.Commit(Streams.Receipts, Row("!a"));
        host.Time.Advance(Second);
        host.Time.Advance(TimeSpan.FromMilliseconds(10));
        await host.SettledAsync();
        Assert.Single(consumer.Rows(Streams.Receipts));
    }

    [Fact]
    public async Task Without_the_bus_rows_arrive_by_polling()
    {
        await using var host = new FollowerHost(consumers: consumer);
        host.Bus.IsConnected = false;
        await host.StartAsync();
        Assert.True(host.Follower.IsReady);
        for (var i = 0; i < 3; i++)
        {
            host.Source.Commit(Streams.Receipts, Row($"!{i}"));
            host.Time.Advance(TimeSpan.FromMilliseconds(500));
            await host.UntilAsync(() => consumer.Rows(Streams.Receipts).Count == i + 1, "the row");
        }
    }

    [Fact]
    public async Task A_database_that_is_away_at_the_start_is_asked_until_it_answers()
    {
        await using var host = new FollowerHost(consumers: consumer);
        host.Source.IsAway = true;
        await host.StartAsync();
        Assert.False(host.Follower.IsReady);
        host.Source.IsAway = false;
        await host.UntilAsync(() => host.Follower.IsReady, "ready");
    }

    [Fact]
    public async Task Waiting_ends_with_the_position_or_with_the_time()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        var arrives = host.Follower.WaitForAsync(Streams.Receipts, 1, Second, default).AsTask();
        var never = host.Follower.WaitForAsync(Streams.Receipts, 9, Second, default).AsTask();
        Assert.False(arrives.IsCompleted);
        await host.Follower.OfferAsync(host.Source.Commit(Streams.Receipts, Row("!a")));
        Assert.True(await arrives);
        await host.UntilAsync(() => never.IsCompleted, "the timeout");
        Assert.False(await never);
        Assert.True(await host.Follower.WaitForAsync(Streams.Receipts, 1, TimeSpan.Zero, default));
    }

    [Fact]
    public async Task Who_waits_long_makes_the_follower_ask_the_database()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        host.Source.Commit(Streams.Receipts, Row("!a"));
        var wait = host.Follower.WaitForAsync(Streams.Receipts, 1, Second, default).AsTask();
        host.Time.Advance(TimeSpan.FromMilliseconds(50));
        await host.UntilAsync(() => wait.IsCompleted, "the row");
        Assert.True(await wait);
    }

    [Fact]
    public async Task A_position_that_does_not_exist_does_not_disturb_what_follows()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        var wait = host.Follower.WaitForAsync(Streams.Receipts, 1_000_000, Second, default).AsTask();
        await host.UntilAsync(() => wait.IsCompleted, "the timeout");
        Assert.False(await wait);
        var reads = host.Source.Reads;
        await host.Follower.OfferAsync(host.Source.Commit(Streams.Receipts, Row("!a")));
        await host.SettledAsync();
        Assert.Equal(1, host.Follower.Position(Streams.Receipts));
        Assert.Equal(reads, host.Source.Reads);
    }

    [Fact]
    public async Task A_stream_that_nobody_here_reads_has_a_position_all_the_same()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        host.Source.Commit(Streams.Events, Row("!a"), Row("!b"));
        await host.SettledAsync();
        Assert.Equal(2, host.Follower.Position(Streams.Events));
        Assert.Equal(0, host.Source.Reads);
        Assert.True(await host.Follower.WaitForAsync(Streams.Events, 5, TimeSpan.Zero, default));
    }

    [Fact]
    public async Task A_consumer_that_fails_makes_the_process_unready_and_the_others_go_on()
    {
        var failing = new RecordingConsumer(Streams.Receipts) { Within = _ => throw new InvalidOperationException("broken") };
        await using var host = new FollowerHost(0, null, failing, consumer);
        await host.StartAsync();
        for (var i = 0; i < 2; i++) await host.Follower.OfferAsync(host.Source.Commit(Streams.Receipts, Row("!a")));
        Assert.False(host.Follower.IsReady);
        Assert.IsType<InvalidOperationException>(host.Follower.Fault);
        Assert.Equal(2, consumer.Rows(Streams.Receipts).Count);
        Assert.Single(failing.Rows(Streams.Receipts));
    }

    [Fact]
    public async Task A_consumer_never_gets_two_frames_at_once()
    {
        var inside = new TaskCompletionSource();
        consumer.Within = _ => new ValueTask(inside.Task);
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        var first = host.Follower.OfferAsync(host.Source.Commit(Streams.Receipts, Row("!a"))).AsTask();
        var repeated = host.Follower.OfferAsync(new(Streams.Receipts, 0, 1, "w", host.Source.RowsAfter(Streams.Receipts, 0))).AsTask();
        var second = host.Follower.OfferAsync(host.Source.Commit(Streams.Receipts, Row("!b"))).AsTask();
        Assert.True(repeated.IsCompleted);
        Assert.True(second.IsCompleted);
        Assert.Equal(0, host.Follower.Position(Streams.Receipts));
        inside.SetResult();
        await first;
        Assert.Equal(2, host.Follower.Position(Streams.Receipts));
        Assert.Equal(2, consumer.Rows(Streams.Receipts).Count);
        Assert.Empty(consumer.Breaches);
    }

    [Fact]
    public async Task What_a_process_publishes_itself_is_there_when_the_call_returns()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        var frame = host.Source.Commit(Streams.Receipts, Row("!a"));
        await host.Publisher.PublishAsync(frame.Stream, frame.From, frame.To, frame.Rows, default);
        Assert.Single(consumer.Rows(Streams.Receipts));
        await host.Bus.PumpAsync();
        Assert.Single(consumer.Rows(Streams.Receipts));
    }

    [Fact]
    public async Task Rows_that_were_pruned_make_the_process_unready()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        host.Source.PrunedUpTo = 3;
        host.Source.Commit(Streams.Receipts, Row("!a"), Row("!b"), Row("!c"), Row("!d"));
        await host.UntilAsync(() => host.Follower.Fault is StreamRowsPrunedException, "the fault");
        Assert.False(host.Follower.IsReady);
    }
}

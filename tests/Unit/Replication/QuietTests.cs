using Matrix.Replication;
using Matrix.Replication.Following;
using Matrix.Testing.Replication;
using static Matrix.Unit.Replication.FollowerHost;

namespace Matrix.Unit.Replication;

/// <summary>An idle follower is left in peace, and misses nothing.</summary>
public class QuietTests
{
    private static readonly FollowerOptions Times = new();
    private readonly RecordingConsumer consumer = new(Streams.Receipts, Streams.Typing);

    /// <summary>Second by second; the follower does what is due in each.</summary>
    private static async Task PassAsync(FollowerHost host, TimeSpan time)
    {
        for (var end = host.Time.GetUtcNow() + time; host.Time.GetUtcNow() < end;)
        {
            await host.ComparedAsync();
            host.Time.Advance(Times.UnsettledComparePeriod);
        }
        await host.ComparedAsync();
    }

    [Fact]
    public async Task Where_nothing_happens_the_truth_is_asked_seldom()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        // The bus has just come, as after an interruption.
        await PassAsync(host, Times.SettledAfter);
        var before = host.Source.Comparisons;
        Assert.InRange(before, 8, 12);
        await PassAsync(host, 10 * Times.ComparePeriod);
        Assert.InRange(host.Source.Comparisons - before, 9, 12);
    }

    [Fact]
    public async Task Frames_that_arrive_give_no_reason_to_ask()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        await PassAsync(host, 3 * Times.SettledAfter);
        var before = host.Source.Comparisons;
        for (var i = 0; i < 10; i++)
        {
            await host.Follower.OfferAsync(host.Source.Commit(Streams.Receipts, Row("!a")));
            await PassAsync(host, Times.ComparePeriod);
        }
        Assert.InRange(host.Source.Comparisons - before, 9, 12);
    }

    [Fact]
    public async Task The_truth_is_asked_at_once_when_the_bus_goes_and_often_while_it_is_away()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        await PassAsync(host, 3 * Times.SettledAfter);
        host.Source.Commit(Streams.Receipts, Row("!a"));
        var now = host.Time.GetUtcNow();
        host.Bus.IsConnected = false;
        for (var i = 0; i < 200_000 && consumer.Rows(Streams.Receipts).Count == 0; i++) await Task.Yield();
        Assert.Single(consumer.Rows(Streams.Receipts));
        Assert.Equal(now, host.Time.GetUtcNow());
        var asked = host.Source.Comparisons;
        for (var i = 0; i < 10; i++)
        {
            await host.ComparedAsync();
            host.Time.Advance(Times.PollPeriod);
        }
        await host.ComparedAsync();
        Assert.InRange(host.Source.Comparisons - asked, 9, 11);
    }

    [Fact]
    public async Task A_row_whose_frame_was_lost_in_the_quiet_is_found_all_the_same()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        await PassAsync(host, 3 * Times.SettledAfter);
        host.Source.Commit(Streams.Receipts, Row("!a"));
        await PassAsync(host, Times.ComparePeriod + Times.UnsettledComparePeriod);
        await host.SettledAsync();
        Assert.Equal(["!a"], consumer.Rows(Streams.Receipts).Select(r => r.Key));
    }

    [Fact]
    public async Task What_an_interruption_of_the_bus_has_cost_is_looked_for_at_once()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        await PassAsync(host, 3 * Times.SettledAfter);
        await host.Bus.PublishEphemeralAsync(Streams.Typing, "!a", new byte[] { 1 }, default);
        host.Bus.IsConnected = false;
        host.Bus.IsConnected = true;
        var before = host.Time.GetUtcNow();
        await host.UntilAsync(() => consumer.Newest(Streams.Typing).Count == 1, "the row");
        Assert.True(host.Time.GetUtcNow() - before < Times.ComparePeriod);
    }
}

using Matrix.Push.Delivery;
using Matrix.Push.Evaluation;
using Matrix.Replication;

namespace Matrix.ServiceTests.Push;

public class DeliveryTests
{
    [Fact]
    public void A_failing_gateway_is_left_in_peace_twice_as_long_each_time_up_to_an_hour()
    {
        Assert.Equal([1, 2, 4, 8, 2048, 3600, 3600], ((int[])[1, 2, 3, 4, 12, 13, 1000]).Select(n => (int)BackOff.Delay(n, 1).TotalSeconds));
        Assert.InRange(BackOff.Delay(1, 0), TimeSpan.FromSeconds(0.79), TimeSpan.FromSeconds(0.81));
    }

    private static StreamRow Row(long position) => new(position, "!r", default);

    [Fact]
    public void The_feed_gives_what_comes_next_and_says_what_the_database_has_to_give()
    {
        var feed = new EventFeed();
        feed.Add(10, 12, [Row(11), Row(12)]);
        feed.Add(12, 13, [Row(13)]);
        feed.Add(20, 21, [Row(21)]);
        Assert.Null(feed.Take(5, 21, out var until));
        Assert.Equal(10, until);
        Assert.Equal([12], feed.Take(11, 21, out _)!.Rows.Select(r => r.Position));
        Assert.Equal(13, feed.Take(12, 21, out _)!.To);
        Assert.Null(feed.Take(13, 21, out until));
        Assert.Equal(20, until);
        Assert.Equal(21, feed.Take(20, 21, out _)!.To);
        Assert.Null(feed.Take(21, 25, out until));
        Assert.Equal(25, until);
    }

    [Fact]
    public void A_feed_that_nobody_empties_stays_bounded()
    {
        var feed = new EventFeed();
        for (var i = 0; i < 20_000; i++) feed.Add(i, i + 1, [Row(i + 1)]);
        Assert.Null(feed.Take(0, 20_000, out var until));
        Assert.InRange(until, 10_000, 20_000);
        var position = until;
        while (feed.Take(position, 20_000, out _) is { } page) position = page.To;
        Assert.Equal(20_000, position);
    }
}

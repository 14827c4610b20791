using Matrix.Replication;
using Matrix.Testing.Replication;

namespace Matrix.Unit.Replication;

public class EphemeralFollowingTests
{
    private readonly RecordingConsumer consumer = new(Streams.Typing);

    [Fact]
    public async Task Who_starts_late_gets_what_is_so_now()
    {
        await using var host = new FollowerHost(consumers: consumer);
        foreach (byte i in (byte[])[1, 2, 3]) await host.Bus.PublishEphemeralAsync(Streams.Typing, i < 3 ? "!a" : "!b", new byte[] { i }, default);
        await host.StartAsync();
        await host.UntilAsync(() => consumer.Newest(Streams.Typing).Count == 2, "both rooms");
        Assert.Equal([2], consumer.Newest(Streams.Typing)["!a"]);
        Assert.Equal([3], consumer.Newest(Streams.Typing)["!b"]);
    }

    [Fact]
    public async Task A_lost_row_is_read_from_what_the_bus_keeps()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        await host.Publisher.PublishEphemeralAsync(Streams.Typing, "!a", new byte[] { 1 }, default);
        await host.UntilAsync(() => consumer.Newest(Streams.Typing).Count == 1, "the first");
        await host.Bus.PublishEphemeralAsync(Streams.Typing, "!b", new byte[] { 2 }, default);
        host.Bus.IsConnected = false;
        host.Bus.IsConnected = true;
        await host.UntilAsync(() => consumer.Newest(Streams.Typing).Count == 2, "the second");
        Assert.Empty(consumer.Breaches);
    }

    [Fact]
    public async Task When_the_bus_lost_its_data_everything_is_void_and_positions_ascend_all_the_same()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        var before = await host.Publisher.PublishEphemeralAsync(Streams.Typing, "!a", new byte[] { 1 }, default);
        await host.UntilAsync(() => consumer.Newest(Streams.Typing).Count == 1, "the first");
        var resets = consumer.Resets;
        host.Time.Advance(TimeSpan.FromMilliseconds(1));
        host.Bus.LoseEphemeralData();
        var after = await host.Publisher.PublishEphemeralAsync(Streams.Typing, "!b", new byte[] { 2 }, default);
        await host.UntilAsync(() => consumer.Newest(Streams.Typing).ContainsKey("!b"), "the second");
        Assert.True(after > before);
        Assert.Equal(resets + 1, consumer.Resets);
        Assert.Equal(["!b"], consumer.Newest(Streams.Typing).Keys);
        Assert.Empty(consumer.Breaches);
    }

    [Fact]
    public async Task An_empty_bus_voids_once_and_keeps_the_position()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.StartAsync();
        var position = await host.Publisher.PublishEphemeralAsync(Streams.Typing, "!a", new byte[] { 1 }, default);
        await host.UntilAsync(() => consumer.Newest(Streams.Typing).Count == 1, "the first");
        var resets = consumer.Resets;
        host.Bus.LoseEphemeralData();
        for (var i = 0; i < 5; i++)
        {
            host.Time.Advance(TimeSpan.FromSeconds(1));
            await host.UntilAsync(() => host.Follower.CatchUpsUnderWay == 0, "quiet");
        }
        Assert.Equal(resets + 1, consumer.Resets);
        Assert.Empty(consumer.Newest(Streams.Typing));
        Assert.Equal(position, host.Follower.Position(Streams.Typing));
    }

    [Fact]
    public async Task While_the_bus_is_away_nothing_is_published_and_nothing_stops()
    {
        await using var host = new FollowerHost(consumers: consumer);
        host.Bus.IsConnected = false;
        await host.StartAsync();
        Assert.True(host.Follower.IsReady);
        Assert.Equal(0, await host.Publisher.PublishEphemeralAsync(Streams.Typing, "!a", new byte[] { 1 }, default));
    }

    [Fact]
    public async Task Rows_grow_old_and_are_no_longer_given()
    {
        await using var host = new FollowerHost(consumers: consumer);
        await host.Bus.PublishEphemeralAsync(Streams.Typing, "!a", new byte[] { 1 }, default);
        host.Time.Advance(TimeSpan.FromMinutes(3));
        await host.StartAsync();
        await host.UntilAsync(() => host.Follower.Position(Streams.Typing) > 0, "the position");
        Assert.Empty(consumer.Newest(Streams.Typing));
    }
}

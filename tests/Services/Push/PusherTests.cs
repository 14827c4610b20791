using Matrix.Testing;
using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.Push;

/// <summary>Pushers whose gateways refuse, fail, or may not be asked, and an instance that goes and comes.</summary>
public sealed class PusherTests(PostgresFixture postgres) : PushScene(postgres)
{
    [Fact]
    public async Task A_rejected_push_key_is_forgotten()
    {
        var room = Room.Version("11").With(Alice, Bob);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob);
        var carol = Here.User(Unique + "carol");
        await SaveAsync(room.With(carol));
        Gateway.Rejected.Add(Unique + "key");
        await SaveAsync(room.Say(Alice, "ahoy"));
        await Gateway.NextAsync();
        await SetPusherAsync(carol, pushkey: "other");
        await SaveAsync(room.Say(Alice, "who is there?"));
        Assert.Equal(Unique + "other", Text(Assert.Single((await Gateway.NextAsync()).GetProperty("devices").EnumerateArray()), "pushkey"));
        await StopAsync();
        Assert.Equal("0", await ScalarAsync("select count(*) from pushers where pushkey = $1", Unique + "key"));
        Assert.Equal("1", await ScalarAsync("select count(*) from pushers where pushkey = $1", Unique + "other"));
    }

    [Fact]
    public async Task What_could_not_be_delivered_is_tried_again()
    {
        var room = Room.Version("11").With(Alice, Bob);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob);
        Gateway.Statuses.Enqueue(502);
        await SaveAsync(room.Say(Alice, "ahoy"));
        var first = await Gateway.NextAsync();
        var second = await Gateway.NextAsync();
        Assert.Equal(Text(first, "event_id"), Text(second, "event_id"));
    }

    [Fact]
    public async Task A_restart_repeats_nothing_and_misses_nothing()
    {
        var room = Room.Version("11").With(Alice, Bob);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob);
        await SaveAsync(room.Say(Alice, "before"));
        await Gateway.NextAsync();
        await StopAsync();
        await SaveAsync(room.Say(Alice, "meanwhile"));
        var meanwhile = room.Last.EventId;
        await StartAsync();
        Assert.Equal(meanwhile, Text(await Gateway.NextAsync(), "event_id"));
        await SaveAsync(room.Say(Alice, "after"));
        Assert.Equal(room.Last.EventId, Text(await Gateway.NextAsync(), "event_id"));
        Assert.False(Gateway.HasMore);
    }

    [Fact]
    public async Task A_gateway_in_a_blocked_range_is_never_asked()
    {
        var room = Room.Version("11").With(Alice, Bob);
        await SaveAsync(room);
        await StartAsync(c => c with { IpRangeBlacklist = ["127.0.0.0/8"] });
        await SetPusherAsync(Bob);
        await SaveAsync(room.Say(Alice, "ahoy"));
        var failing = "";
        while (string.IsNullOrEmpty(failing))
        {
            await Task.Yield();
            failing = await ScalarAsync("select failing_since_ts_ms from pushers where pushkey = $1", Unique + "key");
        }
        Assert.Equal(0, Gateway.Count);
    }
}

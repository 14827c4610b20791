using System.Text.Json;
using Matrix.ServiceTests.Hosting;
using Matrix.Testing;
using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.Push;

/// <summary>Messages past the lifetime that their room gives them are in no badge, as /sync does not count them.</summary>
public sealed class BadgeLifetimeTests(PostgresFixture postgres) : PushScene(postgres)
{
    private static readonly TimeSpan Left = TimeSpan.FromDays(1), Later = TimeSpan.FromDays(2);
    private readonly ShiftedTime time = new();

    private static int Unread(JsonElement notification) =>
        notification.GetProperty("counts").TryGetProperty("unread", out var count) ? count.GetInt32() : 0;

    private Task BeginAsync() => StartAsync(config => config with { Retention = new() { Enabled = true } }, time);

    /// <summary>Messages of now have a day left.</summary>
    private Room Limit(Room room) => room.Set(
        Alice, "m.room.retention", $$"""{"max_lifetime":{{time.GetUtcNow().ToUnixTimeMilliseconds() - room.Last.OriginServerTs + (long)Left.TotalMilliseconds}}}""");

    private async Task<(Room Limited, Room Other)> RoomsAsync()
    {
        var (limited, other) = (Limit(Room.Version("11").With(Alice, Bob)), Room.Version("11").With(Alice, Bob));
        await SaveAsync(limited);
        await SaveAsync(other);
        return (limited, other);
    }

    /// <summary>The badge that the next notification carries.</summary>
    private async Task<int> NextBadgeAsync(Room other)
    {
        await SaveAsync(other.Say(Alice, "and now"));
        return Unread(await Gateway.NextEventAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_found_in_the_database_counts_until_then(bool isCountedBefore)
    {
        var (limited, other) = await RoomsAsync();
        await SaveAsync(limited.Say(Alice, "soon gone"));
        await BeginAsync();
        await SetPusherAsync(Bob);
        if (isCountedBefore) Assert.Equal(2, await NextBadgeAsync(other));
        time.Advance(Later);
        Assert.Equal(1, await NextBadgeAsync(other));
    }

    [Fact]
    public async Task What_came_by_the_stream_counts_until_then()
    {
        var (limited, other) = await RoomsAsync();
        await BeginAsync();
        await SetPusherAsync(Bob);
        Assert.Equal(1, await NextBadgeAsync(other));
        await SaveAsync(limited.Say(Alice, "soon gone"));
        Assert.Equal(2, Unread(await Gateway.NextEventAsync()));
        time.Advance(Later);
        Assert.Equal(1, await NextBadgeAsync(other));
    }

    [Fact]
    public async Task What_stays_behind_messages_that_are_gone_counts()
    {
        var (limited, other) = await RoomsAsync();
        limited.Set(Alice, "m.room.tombstone", """{"body":"moved","replacement_room":"!other:test.example"}""");
        await SaveAsync(limited.Say(Alice, "soon gone"));
        await BeginAsync();
        await SetPusherAsync(Bob);
        Assert.Equal(2, await NextBadgeAsync(other));
        time.Advance(Later);
        Assert.Equal(2, await NextBadgeAsync(other));
    }

    [Fact]
    public async Task A_room_that_shortens_lifetimes_counts_by_the_new_one()
    {
        var (limited, other) = await RoomsAsync();
        await SaveAsync(limited.Say(Alice, "soon gone"));
        await BeginAsync();
        await SetPusherAsync(Bob);
        Assert.Equal(2, await NextBadgeAsync(other));
        await SaveAsync(limited.Set(Alice, "m.room.retention", """{"max_lifetime":1}"""));
        Assert.Equal(1, await NextBadgeAsync(other));
        await SaveAsync(limited.Set(Alice, "m.room.retention", "{}"));
        Assert.Equal(2, await NextBadgeAsync(other));
    }

    [Fact]
    public async Task Without_the_feature_they_count()
    {
        var (limited, other) = await RoomsAsync();
        await SaveAsync(limited.Say(Alice, "stays"));
        await StartAsync(null, time);
        await SetPusherAsync(Bob);
        time.Advance(Later);
        Assert.Equal(2, await NextBadgeAsync(other));
    }
}

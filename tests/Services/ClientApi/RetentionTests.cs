using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>A server that hides what is older than its rooms say.</summary>
public sealed class RetentionFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with { Retention = new RetentionConfig { Enabled = true } };
}

public sealed class RetentionTests(RetentionFixture api) : IClassFixture<RetentionFixture>
{
    private static string Room(string room, string rest) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/{rest}";

    [Fact]
    public async Task Messages_past_their_time_are_shown_to_nobody_but_state_is()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var old = await api.SayAsync(alice, room, "old");
        async Task<string[]> Said() => [.. (await api.GetAsync(alice, Room(room, "messages?dir=b&limit=50"))).RequireOk().Body.GetProperty("chunk").EnumerateArray()
            .Where(e => e.GetProperty("type").GetString() == "m.room.message").Select(e => e.GetProperty("event_id").GetString()!)];
        Assert.Equal([old], await Said());
        await using (var age = api.Database.Source.CreateCommand("update events set json = convert_to(regexp_replace(convert_from(json, 'UTF8'), '\"origin_server_ts\":[0-9]+', '\"origin_server_ts\":1000'), 'UTF8') where event_id = $1"))
        {
            age.Parameters.AddWithValue(old);
            Assert.Equal(1, await age.ExecuteNonQueryAsync());
        }
        var young = await api.SayAsync(alice, room, "young");
        Assert.Equal([young, old], await Said());
        await api.SetStateAsync(alice, room, "m.room.retention", new { max_lifetime = 3_600_000 });
        Assert.Equal([young], await Said());
        (await api.GetAsync(alice, Room(room, $"event/{old}"))).Require(404, "M_NOT_FOUND");
        Assert.Contains("m.room.create", (await api.GetAsync(alice, Room(room, "messages?dir=f&limit=1"))).RequireOk().Body.GetRawText());
    }
}

using Matrix.ServiceTests.EventPersister;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>What pages of a room cost the database: round trips do not grow with the page.</summary>
[Collection("alone")]
public sealed class PageCostTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private async Task<int> CountAsync(TestUser user, string path, int events)
    {
        (await api.GetAsync(user, path)).RequireOk();      // the token is known from now on
        using var statements = Sql.Count(api.ConnectionString);
        var answer = (await api.GetAsync(user, path)).RequireOk();
        Assert.Equal(events, answer.Body.GetProperty("chunk").GetArrayLength());
        return statements.All.Count;
    }

    private static string Of(string room, string rest) => $"/_matrix/client/v1/rooms/{Uri.EscapeDataString(room)}/{rest}";
    private static string Messages(string room, int limit) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/messages?dir=b&limit={limit}";

    [Fact]
    public async Task A_page_of_messages_takes_three_round_trips()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        for (var i = 0; i < 60; i++) await api.SayAsync(alice, room, $"{i}");
        // Who asks and what he may see; the events; what relates to them.
        Assert.Equal(3, await CountAsync(alice, Messages(room, 5), 5));
        Assert.Equal(3, await CountAsync(alice, Messages(room, 60), 60));
    }

    [Fact]
    public async Task Events_from_before_the_user_came_take_the_same_however_many_they_are()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat" });
        for (var i = 0; i < 10; i++) await api.SayAsync(alice, room, "shared");
        await api.SetStateAsync(alice, room, "m.room.history_visibility", new { history_visibility = "joined" });
        await api.JoinAsync(bob, room);
        var few = await CountAsync(bob, Messages(room, 3), 3);
        var all = await CountAsync(bob, Messages(room, 12), 12);
        Assert.InRange(all, few, 8);
        Assert.Equal(all, await CountAsync(bob, Messages(room, 14), 14));
    }

    [Fact]
    public async Task Threads_take_the_same_however_many_they_are()
    {
        var alice = await api.RegisterUserAsync();
        async Task<string> WithThreadsAsync(int count)
        {
            var room = await api.CreateRoomAsync(alice);
            for (var i = 0; i < count; i++)
            {
                var root = await api.SayAsync(alice, room, "root");
                (await api.PutAsync(alice, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/{Guid.NewGuid():N}",
                    new Dictionary<string, object> { ["body"] = "in", ["m.relates_to"] = new { rel_type = "m.thread", event_id = root } })).RequireOk();
            }
            return room;
        }
        var one = await CountAsync(alice, Of(await WithThreadsAsync(1), "threads"), 1);
        Assert.Equal(one, await CountAsync(alice, Of(await WithThreadsAsync(12), "threads"), 12));
        Assert.InRange(one, 1, 7);
    }
}

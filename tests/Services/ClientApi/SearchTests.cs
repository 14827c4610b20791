using System.Text.Json;
using Matrix.Background;
using Matrix.Background.Search;
using Matrix.Replication;
using Matrix.Storage.Following;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>ClientApi and a persister with the duty that keeps the index.</summary>
public sealed class SearchFixture : ClientApiFixture
{
    protected override void Add(IHostApplicationBuilder builder) => builder.AddBackground();

    /// <summary>Until everything written is in the index.</summary>
    public Task IndexedAsync() => Services.GetRequiredKeyedService<DutyFollower>(typeof(SearchIndexDuty))
        .WaitForAsync(Streams.Events, Services.GetRequiredService<IStreamFollower>().Position(Streams.Events), CancellationToken.None);
}

public sealed class SearchTests(SearchFixture api) : IClassFixture<SearchFixture>
{
    private static string Room(string room, string rest) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/{rest}";

    private async Task<JsonElement> SearchAsync(TestUser user, object criteria, string? nextBatch = null)
    {
        await api.IndexedAsync();
        var answer = await api.PostAsync(user, "/_matrix/client/v3/search" + (nextBatch is null ? "" : "?next_batch=" + nextBatch), new { search_categories = new { room_events = criteria } });
        return answer.RequireOk().Body.GetProperty("search_categories").GetProperty("room_events");
    }

    private async Task<string[]> FindAsync(TestUser user, string term, object? filter = null) =>
        Ids(await SearchAsync(user, filter is null ? new { search_term = term, order_by = "recent" } : new { search_term = term, order_by = "recent", filter }));

    private static string[] Ids(JsonElement answer) =>
        [.. answer.GetProperty("results").EnumerateArray().Select(r => r.GetProperty("result").GetProperty("event_id").GetString()!)];

    [Fact]
    public async Task Results_say_what_the_reader_was_then()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        foreach (var before in new[] { "leave", "invite" })
        {
            var room = await api.CreateRoomAsync(alice, new { preset = "public_chat", invite = before == "invite" ? new[] { bob.Id } : [] });
            await api.SayAsync(alice, room, $"lighthouse {before}");
            await api.JoinAsync(bob, room);
            await api.SayAsync(alice, room, $"lighthouse join {before}");
        }
        var answer = await SearchAsync(bob, new { search_term = "lighthouse", order_by = "recent", event_context = new { before_limit = 1, after_limit = 0 } });
        static string? Membership(JsonElement e) => e.GetProperty("unsigned").GetProperty("membership").GetString();
        Assert.Equal(["join", "invite", "join", "leave"], answer.GetProperty("results").EnumerateArray().Select(r => Membership(r.GetProperty("result"))));
        Assert.All(answer.GetProperty("results").EnumerateArray(), r => Assert.NotNull(Membership(r.GetProperty("context").GetProperty("events_before")[0])));
    }

    [Fact]
    public async Task Words_are_found_by_their_beginnings_in_any_script()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var martians = await api.SayAsync(alice, room, "Martians and men, ÉTÉ");
        var tokyo = await api.SayAsync(alice, room, "東京都に住んでいます");
        var thai = await api.SayAsync(alice, room, "สวัสดีครับ");
        Assert.Equal([martians], await FindAsync(alice, "martian MEN"));
        Assert.Equal([martians], await FindAsync(alice, "été"));
        Assert.Empty(await FindAsync(alice, "martians women"));
        Assert.Empty(await FindAsync(alice, "artians"));
        Assert.Equal([martians], await FindAsync(alice, "\"and men\""));
        Assert.Empty(await FindAsync(alice, "\"men and\""));
        Assert.Empty(await FindAsync(alice, "martians -men"));
        Assert.Equal([martians], await FindAsync(alice, "martians -women"));
        foreach (var term in new[] { "東京", "京都", "都に", "東", "住", "東京都に住んで" }) Assert.Equal([tokyo], await FindAsync(alice, term));
        Assert.Empty(await FindAsync(alice, "京東"));
        Assert.Equal([thai], await FindAsync(alice, "ดีคร"));
        foreach (var nothing in new[] { "", " ", "!?", "-x", "'", "a & | ! <-> :* \\" }) await FindAsync(alice, nothing);
    }

    [Fact]
    public async Task Names_and_topics_are_found_when_asked_for()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var name = await api.SetStateAsync(alice, room, "m.room.name", new { name = "zebra house" });
        var topic = await api.SetStateAsync(alice, room, "m.room.topic", new { topic = "zebra care" });
        var said = await api.SayAsync(alice, room, "a zebra");
        Assert.Equal([said, topic, name], await FindAsync(alice, "zebra"));
        Assert.Equal([said], Ids(await SearchAsync(alice, new { search_term = "zebra", keys = new[] { "content.body" } })));
        Assert.Equal([name], Ids(await SearchAsync(alice, new { search_term = "zebra", keys = new[] { "content.name" } })));
        Assert.Equal([topic], Ids(await SearchAsync(alice, new { search_term = "zebra", keys = new[] { "content.topic" } })));
        Assert.Equal([said], await FindAsync(alice, "zebra", new { types = new[] { "m.room.message" } }));
    }

    [Fact]
    public async Task Only_what_somebody_may_see_is_found()
    {
        var (alice, bob, eve) = (await api.RegisterUserAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.SetStateAsync(alice, room, "m.room.history_visibility", new { history_visibility = "joined" });
        var early = await api.SayAsync(alice, room, "platypus early");
        await api.JoinAsync(bob, room);
        var seen = await api.SayAsync(alice, room, "platypus seen");
        var mine = await api.SayAsync(bob, room, "platypus mine");
        await api.LeaveAsync(bob, room);
        var late = await api.SayAsync(alice, room, "platypus late");
        Assert.Equal([late, mine, seen, early], await FindAsync(alice, "platypus"));
        Assert.Equal([mine, seen], await FindAsync(bob, "platypus"));
        Assert.Empty(await FindAsync(eve, "platypus"));
        Assert.Equal([mine], await FindAsync(alice, "platypus", new { senders = new[] { bob.Id } }));
        Assert.Empty(await FindAsync(alice, "platypus", new { not_rooms = new[] { room } }));

        (await api.PutAsync(alice, Room(room, $"redact/{seen}/r"), new { })).RequireOk();
        Assert.Equal([late, mine, early], await FindAsync(alice, "platypus"));
        (await api.PutAsync(alice, $"/_matrix/client/v3/user/{alice.Id}/account_data/m.ignored_user_list", $$"""{"ignored_users":{"{{bob.Id}}":{} } }""")).RequireOk();
        Assert.Equal([late, early], await FindAsync(alice, "platypus"));
        (await api.PostAsync(bob, Room(room, "forget"), "{}")).RequireOk();
        Assert.Empty(await FindAsync(bob, "platypus"));
    }

    [Theory]
    [InlineData("recent")]
    [InlineData("rank")]
    public async Task Pages_join_on_in_either_order(string order)
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var ids = new List<string>();
        for (var i = 0; i < 7; i++) ids.Add(await api.SayAsync(alice, room, string.Join(' ', Enumerable.Repeat("wombat", 1 + i % 3))));
        var seen = new List<string>();
        var ranks = new List<double>();
        string? next = null;
        do
        {
            var page = await SearchAsync(alice, new { search_term = "wombat", order_by = order, filter = new { limit = 3 } }, next);
            Assert.Equal(7, page.GetProperty("count").GetInt32());
            Assert.Equal(["wombat"], page.GetProperty("highlights").EnumerateArray().Select(h => h.GetString()!));
            seen.AddRange(Ids(page));
            ranks.AddRange(page.GetProperty("results").EnumerateArray().Select(r => r.GetProperty("rank").GetDouble()));
            next = page.TryGetProperty("next_batch", out var token) ? token.GetString() : null;
        }
        while (next is not null);
        Assert.Equal(ids.Order(StringComparer.Ordinal), seen.Order(StringComparer.Ordinal));
        if (order == "recent") Assert.Equal(Enumerable.Reverse(ids), seen);
        else Assert.Equal(ranks.OrderDescending(), ranks);
    }

    [Fact]
    public async Task Groups_go_on_by_themselves()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var rooms = new[] { await api.CreateRoomAsync(alice), await api.CreateRoomAsync(alice) };
        var ids = new Dictionary<string, List<string>> { [rooms[0]] = [], [rooms[1]] = [] };
        foreach (var room in rooms) await api.JoinAsync(bob, room);
        for (var i = 0; i < 6; i++) ids[rooms[i % 2]].Add(await api.SayAsync(i < 3 ? alice : bob, rooms[i % 2], $"capybara {i}"));
        var criteria = new { search_term = "capybara", order_by = "recent", filter = new { limit = 2 }, groupings = new { group_by = new[] { new { key = "room_id" }, new { key = "sender" } } } };
        var first = await SearchAsync(alice, criteria);
        var group = first.GetProperty("groups").GetProperty("room_id").GetProperty(rooms[0]);
        Assert.Equal([ids[rooms[0]][2]], group.GetProperty("results").EnumerateArray().Select(r => r.GetString()!));
        Assert.Equal([bob.Id], first.GetProperty("groups").GetProperty("sender").EnumerateObject().Select(g => g.Name));
        var more = await SearchAsync(alice, criteria, group.GetProperty("next_batch").GetString());
        Assert.Equal([ids[rooms[0]][1], ids[rooms[0]][0]], Ids(more));
        Assert.False(more.TryGetProperty("next_batch", out _));
    }

    [Fact]
    public async Task Results_come_with_their_surroundings_state_and_aggregations()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        await api.SayAsync(bob, room, "before");
        var found = await api.SayAsync(alice, room, "quokka");
        var after = await api.SayAsync(bob, room, "after");
        (await api.PutAsync(alice, Room(room, "send/m.room.message/edit"), JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["body"] = "* x", ["m.new_content"] = new { body = "x" }, ["m.relates_to"] = new { rel_type = "m.replace", event_id = found },
        }))).RequireOk();
        var page = await SearchAsync(alice, new
        {
            search_term = "quokka", include_state = true, event_context = new { before_limit = 1, after_limit = 1, include_profile = true },
        });
        var result = page.GetProperty("results")[0];
        Assert.True(result.GetProperty("result").GetProperty("unsigned").GetProperty("m.relations").TryGetProperty("m.replace", out _));
        var context = result.GetProperty("context");
        Assert.Equal("before", context.GetProperty("events_before")[0].GetProperty("content").GetProperty("body").GetString());
        Assert.Equal(after, context.GetProperty("events_after")[0].GetProperty("event_id").GetString());
        Assert.Equal(2, context.GetProperty("profile_info").EnumerateObject().Count());
        (await api.GetAsync(alice, Room(room, $"messages?dir=b&from={context.GetProperty("start").GetString()}"))).RequireOk();
        Assert.Contains(page.GetProperty("state").GetProperty(room).EnumerateArray(), e => e.GetProperty("type").GetString() == "m.room.create");
    }

    [Fact]
    public async Task Of_ignored_users_only_state_is_found()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat", power_level_content_override = new { state_default = 0 } });
        await api.JoinAsync(bob, room);
        var topic = await api.SetStateAsync(bob, room, "m.room.topic", new { topic = "wombat" });
        await api.SayAsync(bob, room, "wombat");
        (await api.PutAsync(alice, $"/_matrix/client/v3/user/{alice.Id}/account_data/m.ignored_user_list", $$"""{"ignored_users":{"{{bob.Id}}":{} } }""")).RequireOk();
        Assert.Equal([topic], await FindAsync(alice, "wombat"));
    }

    [Fact]
    public async Task Events_are_found_that_others_relate_to()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var root = await api.SayAsync(alice, room, "numbat");
        await api.SayAsync(alice, room, "numbat alone");
        (await api.PutAsync(alice, Room(room, "send/m.room.message/t"), JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["body"] = "x", ["m.relates_to"] = new { rel_type = "m.thread", event_id = root },
        }))).RequireOk();
        Assert.Equal([root], await FindAsync(alice, "numbat", new { related_by_rel_types = new[] { "m.thread" } }));
        Assert.Empty(await FindAsync(alice, "numbat", new { related_by_rel_types = new[] { "m.reference" } }));
        Assert.Empty(await FindAsync(alice, "numbat", new { related_by_senders = new[] { "@nobody:test.example" } }));
    }

    [Fact]
    public async Task A_room_is_searched_with_those_that_it_replaced()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat" });
        var other = await api.CreateRoomAsync(alice);
        var told = new List<string> { await api.SayAsync(alice, room, "echidna 0") };
        await api.SayAsync(alice, other, "echidna elsewhere");
        for (var i = 1; i < 3; i++)
        {
            room = (await api.PostAsync(alice, Room(room, "upgrade"), new { new_version = "11" })).RequireOk().Text("replacement_room");
            told.Insert(0, await api.SayAsync(alice, room, $"echidna {i}"));
        }
        await api.JoinAsync(bob, room);
        Assert.Equal(told, await FindAsync(alice, "echidna", new { rooms = new[] { room } }));
        Assert.Equal([told[0]], await FindAsync(bob, "echidna", new { rooms = new[] { room } }));
    }

    [Fact]
    public async Task Wrong_requests_are_refused()
    {
        var alice = await api.RegisterUserAsync();
        async Task Refused(object body, string code, string query = "") =>
            (await api.PostAsync(alice, "/_matrix/client/v3/search" + query, body)).Require(400, code);
        object Events(object criteria) => new { search_categories = new { room_events = criteria } };
        await Refused(new { }, "M_MISSING_PARAM");
        await Refused(Events(new { }), "M_MISSING_PARAM");
        await Refused(Events(new { search_term = 7 }), "M_BAD_JSON");
        await Refused(Events(new { search_term = new string('x', 1_001) }), "M_INVALID_PARAM");
        await Refused(Events(new { search_term = "x", order_by = "age" }), "M_INVALID_PARAM");
        await Refused(Events(new { search_term = "x", keys = new[] { "content.url" } }), "M_INVALID_PARAM");
        await Refused(Events(new { search_term = "x", groupings = new { group_by = new[] { new { key = "type" } } } }), "M_INVALID_PARAM");
        await Refused(Events(new { search_term = "x", event_context = new { before_limit = -1 } }), "M_INVALID_PARAM");
        await Refused(Events(new { search_term = "x", filter = new { types = "m.room.message" } }), "M_INVALID_PARAM");
        await Refused(Events(new { search_term = "x" }), "M_INVALID_PARAM", "?next_batch=x");
        (await api.PostAsync(alice, "/_matrix/client/v3/search", new { search_categories = new { } })).RequireOk();
        (await api.PostAsync(null, "/_matrix/client/v3/search", new { })).Require(401, "M_MISSING_TOKEN");
    }
}

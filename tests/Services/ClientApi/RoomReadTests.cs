using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

public sealed class RoomReadTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static string Room(string room, string rest) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/{rest}";
    private static string[] Bodies(Answer answer, string name = "chunk") =>
        [.. answer.Body.GetProperty(name).EnumerateArray().Where(e => e.GetProperty("type").GetString() == "m.room.message")
            .Select(e => e.GetProperty("content").TryGetProperty("body", out var body) ? body.GetString()! : "")];
    private static string[] Types(JsonElement events) => [.. events.EnumerateArray().Select(e => e.GetProperty("type").GetString()!)];

    [Fact]
    public async Task Members_see_the_state_and_strangers_do_not()
    {
        var (alice, bob, eve) = (await api.RegisterUserAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat", name = "Harbour", topic = "ships" });
        await api.JoinAsync(bob, room);
        var state = (await api.GetAsync(bob, Room(room, "state"))).RequireOk().Body;
        Assert.Contains("m.room.create", Types(state));
        Assert.Contains("m.room.name", Types(state));
        Assert.All(state.EnumerateArray(), e => Assert.Equal(room, e.GetProperty("room_id").GetString()));
        foreach (var path in new[] { "state", "members", "joined_members", "messages?dir=b", "aliases" })
        {
            (await api.GetAsync(eve, Room(room, path))).Require(403, "M_FORBIDDEN");
            (await api.GetAsync(null, Room(room, path))).Require(401, "M_MISSING_TOKEN");
            (await api.GetAsync(alice, Room("!nothing:test.example", path))).Require(403, "M_FORBIDDEN");
        }
    }

    [Fact]
    public async Task A_world_readable_room_is_open_to_everybody()
    {
        var (alice, eve) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.SetStateAsync(alice, room, "m.room.history_visibility", new { history_visibility = "world_readable" });
        await api.SayAsync(alice, room, "hello world");
        (await api.GetAsync(eve, Room(room, "state"))).RequireOk();
        Assert.Equal(["hello world"], Bodies((await api.GetAsync(eve, Room(room, "messages?dir=b"))).RequireOk()));
        (await api.GetAsync(eve, Room(room, "joined_members"))).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Who_has_left_sees_the_room_as_it_was()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat", name = "before" });
        await api.JoinAsync(bob, room);
        await api.SayAsync(alice, room, "one");
        await api.LeaveAsync(bob, room);
        await api.SayAsync(alice, room, "two");
        var name = await api.SetStateAsync(alice, room, "m.room.name", new { name = "after" });
        var state = (await api.GetAsync(bob, Room(room, "state"))).RequireOk().Body;
        Assert.Equal("before", state.EnumerateArray().Single(e => e.GetProperty("type").GetString() == "m.room.name").GetProperty("content").GetProperty("name").GetString());
        Assert.Equal(["one"], Bodies((await api.GetAsync(bob, Room(room, "messages?dir=b&limit=100"))).RequireOk()));
        Assert.Equal(["one"], Bodies((await api.GetAsync(bob, Room(room, "messages?dir=f&limit=100"))).RequireOk()));
        (await api.GetAsync(bob, Room(room, $"event/{name}"))).Require(404, "M_NOT_FOUND");
        var members = (await api.GetAsync(bob, Room(room, "members"))).RequireOk().Body.GetProperty("chunk");
        Assert.Equal("leave", members.EnumerateArray().Single(m => m.GetProperty("state_key").GetString() == bob.Id).GetProperty("content").GetProperty("membership").GetString());

        (await api.PostAsync(alice, Room(room, "forget"), "{}")).Require(400, "M_UNKNOWN");
        (await api.PostAsync(bob, Room(room, "forget"), "{}")).RequireOk();
        (await api.GetAsync(bob, Room(room, "state"))).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(bob, Room(room, "messages?dir=b"))).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task A_declined_invitation_opens_nothing()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "private_chat", invite = new[] { bob.Id } });
        (await api.GetAsync(bob, Room(room, "state"))).Require(403, "M_FORBIDDEN");
        await api.LeaveAsync(bob, room);
        (await api.GetAsync(bob, Room(room, "state"))).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Pages_backwards_and_forwards_meet_without_loss()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        for (var i = 0; i < 25; i++) await api.SayAsync(alice, room, $"m{i}");
        var expected = Enumerable.Range(0, 25).Select(i => $"m{i}").ToArray();
        foreach (var dir in new[] { "b", "f" })
        {
            var seen = new List<string>();
            var pages = 0;
            for (string? from = null; ; pages++)
            {
                var page = (await api.GetAsync(alice, Room(room, $"messages?dir={dir}&limit=7" + (from is null ? "" : "&from=" + from)))).RequireOk();
                Assert.True(page.Body.GetProperty("chunk").GetArrayLength() <= 7);
                seen.AddRange(Bodies(page));
                if (!page.Has("end")) break;
                from = page.Text("end");
            }
            if (dir == "b") seen.Reverse();
            Assert.Equal(expected, seen);
            Assert.InRange(pages, 3, 6);
        }
        var first = (await api.GetAsync(alice, Room(room, "messages?dir=b&limit=5"))).RequireOk();
        var again = (await api.GetAsync(alice, Room(room, $"messages?dir=f&limit=5&from={first.Text("end")}&to={first.Text("start")}"))).RequireOk();
        Assert.Equal(Bodies(first).Reverse(), Bodies(again));
    }

    [Fact]
    public async Task A_filter_passes_over_what_it_hides()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        for (var i = 0; i < 12; i++) await api.SayAsync(i % 4 == 0 ? bob : alice, room, $"m{i}");
        var filter = Uri.EscapeDataString($$"""{"senders":["{{bob.Id}}"],"types":["m.room.message"],"lazy_load_members":true}""");
        var page = (await api.GetAsync(alice, Room(room, $"messages?dir=b&limit=2&filter={filter}"))).RequireOk();
        Assert.Equal(["m8", "m4"], Bodies(page));
        Assert.Equal([bob.Id], page.Body.GetProperty("state").EnumerateArray().Select(e => e.GetProperty("state_key").GetString()));
        Assert.Equal(["m0"], Bodies((await api.GetAsync(alice, Room(room, $"messages?dir=b&limit=2&filter={filter}&from={page.Text("end")}"))).RequireOk()));
    }

    [Fact]
    public async Task Messages_of_ignored_users_are_passed_over_but_not_their_state()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        await api.SayAsync(bob, room, "noise");
        await api.SayAsync(alice, room, "signal");
        (await api.PutAsync(alice, $"/_matrix/client/v3/user/{alice.Id}/account_data/m.ignored_user_list", $$"""{"ignored_users":{"{{bob.Id}}":{} } }""")).RequireOk();
        var page = (await api.GetAsync(alice, Room(room, "messages?dir=b&limit=100"))).RequireOk();
        Assert.Equal(["signal"], Bodies(page));
        Assert.Contains(page.Body.GetProperty("chunk").EnumerateArray(), e => e.GetProperty("sender").GetString() == bob.Id);
    }

    [Theory]
    [InlineData("messages?dir=x", "M_INVALID_PARAM")]
    [InlineData("messages?dir=b&from=nonsense", "M_INVALID_PARAM")]
    [InlineData("messages?dir=b&to=s1_a1", "M_INVALID_PARAM")]
    [InlineData("messages?dir=b&limit=-1", "M_INVALID_PARAM")]
    [InlineData("messages?dir=b&limit=ten", "M_INVALID_PARAM")]
    [InlineData("messages?dir=b&filter=%7B", "M_INVALID_PARAM")]
    [InlineData("members?at=nonsense", "M_INVALID_PARAM")]
    [InlineData("members?membership=friend", "M_INVALID_PARAM")]
    public async Task Wrong_parameters_are_refused(string path, string code)
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        (await api.GetAsync(alice, Room(room, path))).Require(400, code);
    }

    [Fact]
    public async Task History_before_the_join_follows_the_rooms_visibility()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.SetStateAsync(alice, room, "m.room.history_visibility", new { history_visibility = "joined" });
        var hidden = await api.SayAsync(alice, room, "hidden");
        await api.JoinAsync(bob, room);
        await api.SayAsync(alice, room, "seen");
        Assert.Equal(["seen"], Bodies((await api.GetAsync(bob, Room(room, "messages?dir=b&limit=100"))).RequireOk()));
        (await api.GetAsync(bob, Room(room, $"event/{hidden}"))).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(bob, Room(room, $"context/{hidden}"))).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(alice, Room(room, $"event/{hidden}"))).RequireOk();
    }

    [Fact]
    public async Task An_event_is_shown_with_its_age_and_to_its_sender_with_the_transaction()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        var id = (await api.PutAsync(alice, Room(room, "send/m.room.message/my-txn"), new { msgtype = "m.text", body = "x" })).RequireOk().Text("event_id");
        var mine = (await api.GetAsync(alice, Room(room, $"event/{id}"))).RequireOk().Body;
        Assert.Equal("my-txn", mine.GetProperty("unsigned").GetProperty("transaction_id").GetString());
        Assert.True(mine.GetProperty("unsigned").GetProperty("age").GetInt64() >= 0);
        var others = (await api.GetAsync(bob, Room(room, $"event/{id}"))).RequireOk().Body;
        Assert.False(others.GetProperty("unsigned").TryGetProperty("transaction_id", out _));
        (await api.GetAsync(alice, Room(await api.CreateRoomAsync(alice), $"event/{id}"))).Require(404, "M_NOT_FOUND");
    }

    [Fact]
    public async Task A_redacted_event_says_why_it_is_empty()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var id = await api.SayAsync(alice, room, "oops");
        (await api.PutAsync(alice, Room(room, $"redact/{id}/r1"), new { reason = "typo" })).RequireOk();
        var e = (await api.GetAsync(alice, Room(room, $"event/{id}"))).RequireOk().Body;
        Assert.Equal("{}", e.GetProperty("content").GetRawText());
        Assert.Equal("typo", e.GetProperty("unsigned").GetProperty("redacted_because").GetProperty("content").GetProperty("reason").GetString());
    }

    [Fact]
    public async Task The_context_of_an_event_joins_on_to_pages()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var ids = new List<string>();
        for (var i = 0; i < 11; i++) ids.Add(await api.SayAsync(alice, room, $"m{i}"));
        var context = (await api.GetAsync(alice, Room(room, $"context/{ids[5]}?limit=4"))).RequireOk();
        Assert.Equal(ids[5], context.Body.GetProperty("event").GetProperty("event_id").GetString());
        Assert.Equal(["m4", "m3"], Bodies(context, "events_before"));
        Assert.Equal(["m6", "m7"], Bodies(context, "events_after"));
        Assert.Contains("m.room.create", Types(context.Body.GetProperty("state")));
        Assert.Equal(["m2"], Bodies((await api.GetAsync(alice, Room(room, $"messages?dir=b&limit=1&from={context.Text("start")}"))).RequireOk()));
        Assert.Equal(["m8"], Bodies((await api.GetAsync(alice, Room(room, $"messages?dir=f&limit=1&from={context.Text("end")}"))).RequireOk()));
    }

    [Fact]
    public async Task Members_are_listed_by_membership_and_by_time()
    {
        var (alice, bob, carol) = (await api.RegisterUserAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat", invite = new[] { carol.Id } });
        var before = (await api.GetAsync(alice, Room(room, "messages?dir=b&limit=1"))).RequireOk().Text("start");
        await api.JoinAsync(bob, room);
        async Task<string[]> Members(string query) => [.. (await api.GetAsync(alice, Room(room, "members" + query))).RequireOk()
            .Body.GetProperty("chunk").EnumerateArray().Select(e => e.GetProperty("state_key").GetString()!).Order(StringComparer.Ordinal)];
        string[] Sorted(params string[] ids) => [.. ids.Order(StringComparer.Ordinal)];
        Assert.Equal(Sorted(alice.Id, bob.Id, carol.Id), await Members(""));
        Assert.Equal(Sorted(alice.Id, bob.Id), await Members("?membership=join"));
        Assert.Equal(Sorted(carol.Id), await Members("?not_membership=join"));
        Assert.Equal(Sorted(alice.Id, carol.Id), await Members("?at=" + before));
        // Both together are an "or".
        var dave = await api.RegisterUserAsync();
        await api.JoinAsync(dave, room);
        await api.LeaveAsync(dave, room);
        Assert.Equal(Sorted(carol.Id, dave.Id), await Members("?membership=invite&not_membership=join"));
        Assert.Equal(Sorted(alice.Id, bob.Id, dave.Id), await Members("?membership=join&not_membership=invite"));
        var joined = (await api.GetAsync(bob, Room(room, "joined_members"))).RequireOk().Body.GetProperty("joined");
        Assert.Equal(Sorted(alice.Id, bob.Id), joined.EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal));
        Assert.Equal(alice.Id[1..alice.Id.IndexOf(':')], joined.GetProperty(alice.Id).GetProperty("display_name").GetString());
        Assert.Equal([room], (await api.GetAsync(bob, "/_matrix/client/v3/joined_rooms")).RequireOk().Body.GetProperty("joined_rooms").EnumerateArray().Select(r => r.GetString()));
    }
}

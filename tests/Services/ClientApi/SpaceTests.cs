using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

public sealed class SpaceTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static string Hierarchy(string room, string query = "") => $"/_matrix/client/v1/rooms/{Uri.EscapeDataString(room)}/hierarchy{query}";
    private static string[] Ids(Answer answer) => [.. answer.RequireOk().Body.GetProperty("rooms").EnumerateArray().Select(r => r.GetProperty("room_id").GetString()!)];

    private Task<string> SpaceAsync(TestUser creator, string name = "space") =>
        api.CreateRoomAsync(creator, new { preset = "public_chat", name, creation_content = new { type = "m.space" } });

    private Task<string> ChildAsync(TestUser user, string space, string child, string? order = null, bool suggested = false) =>
        api.SetStateAsync(user, space, "m.space.child", order is null ? new { via = new[] { "test.example" }, suggested } : new { via = new[] { "test.example" }, suggested, order }, child);

    [Fact]
    public async Task A_tree_is_walked_depth_first_in_the_order_of_its_children()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var (root, sub) = (await SpaceAsync(alice), await SpaceAsync(alice));
        var (a, b, c, removed, hidden) = (await api.CreateRoomAsync(alice), await api.CreateRoomAsync(alice), await api.CreateRoomAsync(alice), await api.CreateRoomAsync(alice),
            await api.CreateRoomAsync(alice, new { preset = "private_chat" }));
        await ChildAsync(alice, root, a);
        await ChildAsync(alice, root, b, suggested: true);
        await ChildAsync(alice, root, sub, order: "a", suggested: true);
        await ChildAsync(alice, root, hidden);
        await ChildAsync(alice, root, removed);
        await api.SetStateAsync(alice, root, "m.space.child", new { }, removed);
        await ChildAsync(alice, root, "!unknown:test.example");
        await ChildAsync(alice, sub, c);
        await ChildAsync(alice, sub, root);         // a cycle
        await ChildAsync(alice, sub, a, suggested: true);

        Assert.Equal([root, sub, c, a, b], Ids(await api.GetAsync(bob, Hierarchy(root))));
        Assert.Equal([root, sub, c, a, b, hidden], Ids(await api.GetAsync(alice, Hierarchy(root))));
        Assert.Equal([root, sub, a, b], Ids(await api.GetAsync(bob, Hierarchy(root, "?max_depth=1"))));
        Assert.Equal([root], Ids(await api.GetAsync(bob, Hierarchy(root, "?max_depth=0"))));
        Assert.Equal([root, sub, a, b], Ids(await api.GetAsync(bob, Hierarchy(root, "?suggested_only=true"))));

        var first = (await api.GetAsync(bob, Hierarchy(root))).Body.GetProperty("rooms")[0];
        Assert.Equal("m.space", first.GetProperty("room_type").GetString());
        Assert.Equal("12", first.GetProperty("room_version").GetString());
        Assert.Equal(1, first.GetProperty("num_joined_members").GetInt32());
        Assert.Equal("public", first.GetProperty("join_rule").GetString());
        var children = first.GetProperty("children_state").EnumerateArray().ToArray();
        Assert.Equal([sub, a, b, hidden, "!unknown:test.example"], children.Select(e => e.GetProperty("state_key").GetString()!).ToArray());
        Assert.All(children, e => Assert.True(e.GetProperty("origin_server_ts").GetInt64() > 0));
        Assert.False(children[0].TryGetProperty("event_id", out _));
    }

    [Fact]
    public async Task A_room_is_as_deep_as_its_shortest_way()
    {
        var alice = await api.RegisterUserAsync();
        var (root, a, b, c) = (await SpaceAsync(alice), await SpaceAsync(alice), await SpaceAsync(alice), await api.CreateRoomAsync(alice));
        await ChildAsync(alice, root, a, order: "a");
        await ChildAsync(alice, root, b, order: "b");
        await ChildAsync(alice, a, b);
        await ChildAsync(alice, b, c);
        Assert.Equal([root, a, b, c], Ids(await api.GetAsync(alice, Hierarchy(root, "?max_depth=2"))));
        Assert.Equal([root, a, b], Ids(await api.GetAsync(alice, Hierarchy(root, "?max_depth=1"))));
    }

    [Fact]
    public async Task Pages_of_a_tree_join_on_and_may_not_change_the_question()
    {
        var alice = await api.RegisterUserAsync();
        var root = await SpaceAsync(alice);
        var rooms = new List<string> { root };
        for (var i = 0; i < 4; i++) rooms.Add(await api.CreateRoomAsync(alice));
        for (var i = 1; i < 5; i++) await ChildAsync(alice, root, rooms[i], order: $"{i}");
        var seen = new List<string>();
        var page = (await api.GetAsync(alice, Hierarchy(root, "?limit=2"))).RequireOk();
        var token = page.Text("next_batch");
        for (seen.AddRange(Ids(page)); page.Has("next_batch"); seen.AddRange(Ids(page)))
            page = (await api.GetAsync(alice, Hierarchy(root, "?limit=2&from=" + page.Text("next_batch")))).RequireOk();
        Assert.Equal(rooms, seen);
        foreach (var changed in new[] { "&max_depth=1", "&suggested_only=true" })
            (await api.GetAsync(alice, Hierarchy(root, $"?from={token}{changed}"))).Require(400, "M_INVALID_PARAM");
        foreach (var bad in new[] { "?from=x", "?limit=0", "?limit=-2", "?max_depth=-1", "?suggested_only=perhaps" })
            (await api.GetAsync(alice, Hierarchy(root, bad))).Require(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task What_somebody_may_not_enter_is_not_shown_to_him()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var secret = await api.CreateRoomAsync(alice, new { preset = "private_chat", creation_content = new { type = "m.space" } });
        (await api.GetAsync(bob, Hierarchy(secret))).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(bob, Hierarchy("!unknown:test.example"))).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(null, Hierarchy(secret))).Require(401, "M_MISSING_TOKEN");

        var space = await SpaceAsync(alice);
        async Task<string> With(object joinRules, string? visibility = null)
        {
            var room = await api.CreateRoomAsync(alice, new { preset = "private_chat" });
            await api.SetStateAsync(alice, room, "m.room.join_rules", joinRules);
            if (visibility is not null) await api.SetStateAsync(alice, room, "m.room.history_visibility", new { history_visibility = visibility });
            await ChildAsync(alice, space, room);
            return room;
        }
        var restricted = await With(new { join_rule = "restricted", allow = new[] { new { type = "m.room_membership", room_id = space } } });
        var knock = await With(new { join_rule = "knock" });
        var readable = await With(new { join_rule = "invite" }, "world_readable");
        var invited = await With(new { join_rule = "invite" });
        (await api.PostAsync(alice, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(invited)}/invite", new { user_id = bob.Id })).RequireOk();
        await With(new { join_rule = "invite" });
        Assert.Equal([space, knock, readable, invited], Ids(await api.GetAsync(bob, Hierarchy(space))));
        await api.JoinAsync(bob, space);
        var rooms = (await api.GetAsync(bob, Hierarchy(space))).RequireOk();
        Assert.Equal([space, restricted, knock, readable, invited], Ids(rooms));
        Assert.Equal([space], rooms.Body.GetProperty("rooms")[1].GetProperty("allowed_room_ids").EnumerateArray().Select(r => r.GetString()!));
    }

    [Fact]
    public async Task A_room_is_summed_up_by_id_and_alias_for_those_who_may_enter()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var localpart = api.NewName("summary");
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat", name = "Harbour", topic = "ships", room_alias_name = localpart });
        await api.SetStateAsync(alice, room, "m.room.encryption", new { algorithm = "m.megolm.v1.aes-sha2" });
        foreach (var address in new[] { room, $"#{localpart}:test.example" })
        {
            var summary = (await api.GetAsync(alice, "/_matrix/client/v1/room_summary/" + Uri.EscapeDataString(address))).RequireOk();
            Assert.Equal(room, summary.Text("room_id"));
            Assert.Equal("Harbour", summary.Text("name"));
            Assert.Equal("join", summary.Text("membership"));
            Assert.Equal("m.megolm.v1.aes-sha2", summary.Text("encryption"));
        }
        Assert.Equal("leave", (await api.GetAsync(bob, "/_matrix/client/v1/room_summary/" + Uri.EscapeDataString(room))).RequireOk().Text("membership"));
        Assert.False((await api.GetAsync(null, "/_matrix/client/v1/room_summary/" + Uri.EscapeDataString(room))).RequireOk().Has("membership"));
        Assert.Equal("12", (await api.GetAsync(bob, $"/_matrix/client/unstable/im.nheko.summary/rooms/{Uri.EscapeDataString(room)}/summary")).RequireOk().Text("im.nheko.summary.room_version"));

        var secret = await api.CreateRoomAsync(alice, new { preset = "private_chat" });
        (await api.GetAsync(alice, "/_matrix/client/v1/room_summary/" + Uri.EscapeDataString(secret))).RequireOk();
        foreach (var user in new[] { bob, null })
            (await api.GetAsync(user, "/_matrix/client/v1/room_summary/" + Uri.EscapeDataString(secret))).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(bob, "/_matrix/client/v1/room_summary/%23nothing:test.example")).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(bob, "/_matrix/client/v1/room_summary/nonsense")).Require(400, "M_INVALID_PARAM");
    }
}

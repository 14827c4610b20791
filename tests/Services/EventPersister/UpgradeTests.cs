using System.Text.Json;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Spec: client-server-api/#room-upgrades</summary>
public sealed class UpgradeTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static Task<PersisterHost.Answer> UpgradeAsync(User user, string room, object body) => user.PostAsync($"/rooms/{Uri.EscapeDataString(room)}/upgrade", body);

    private async Task<Dictionary<(string Type, string Key), JsonElement>> ContentsAsync(string room) =>
        (await fixture.StateAsync(room)).ToDictionary(s => (s.Key.Type, s.Key.Key), s => JsonDocument.Parse(s.Value.Pdu.Content).RootElement.Clone());

    [Theory]
    [InlineData("10", "11")]
    [InlineData("11", "12")]
    [InlineData("12", "12")]
    public async Task A_room_is_replaced_by_one_that_looks_like_it(string from, string to)
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var carol = await fixture.NewUserAsync();
        var alias = $"up-{from}-{to}";
        var room = await alice.CreateRoomAsync(new
        {
            room_version = from, preset = "public_chat", name = "Name", topic = "Topic", room_alias_name = alias, creation_content = new { type = "m.space" },
            power_level_content_override = from == "12"
                ? new { users = new Dictionary<string, int> { [bob.Id] = 50 } }
                : new { users = new Dictionary<string, int> { [bob.Id] = 50, [alice.Id] = 100 } },
        });
        (await bob.JoinAsync(room)).Ok();
        (await alice.ActAsync(room, "ban", carol)).Ok();
        var last = (await alice.SendAsync(room, "last words")).Ok().EventId;
        var replacement = (await UpgradeAsync(alice, room, new { new_version = to, additional_creators = new[] { "@dave:elsewhere" } })).Ok().Text("replacement_room");

        var now = await ContentsAsync(replacement);
        var create = now[("m.room.create", "")];
        Assert.Equal((to, "m.space"), (create.GetProperty("room_version").GetString(), create.GetProperty("type").GetString()));
        var tombstone = (await fixture.StateAsync(room))[new("m.room.tombstone", "")].Pdu.EventId;
        // Where the room's id follows from its create event, it cannot be named before it is made.
        Assert.Equal((room, to == "12" ? last : tombstone), (create.GetProperty("predecessor").GetProperty("room_id").GetString(), create.GetProperty("predecessor").GetProperty("event_id").GetString()));
        Assert.Equal(to == "12", create.TryGetProperty("additional_creators", out _));
        Assert.Equal(("Name", "Topic", "public"),
            (now[("m.room.name", "")].GetProperty("name").GetString(), now[("m.room.topic", "")].GetProperty("topic").GetString(), now[("m.room.join_rules", "")].GetProperty("join_rule").GetString()));
        Assert.Equal(50, now[("m.room.power_levels", "")].GetProperty("users").GetProperty(bob.Id).GetInt32());
        Assert.Equal(to != "12", now[("m.room.power_levels", "")].GetProperty("users").TryGetProperty(alice.Id, out _));
        Assert.Equal("ban", now[("m.room.member", carol.Id)].GetProperty("membership").GetString());
        Assert.False(now.ContainsKey(("m.room.member", bob.Id)));
        Assert.Equal(replacement, await fixture.Rooms.AliasAsync($"#{alias}:test.example", CancellationToken.None));

        var before = await ContentsAsync(room);
        Assert.Equal(replacement, before[("m.room.tombstone", "")].GetProperty("replacement_room").GetString());
        Assert.Equal((50, 50), (before[("m.room.power_levels", "")].GetProperty("events_default").GetInt32(), before[("m.room.power_levels", "")].GetProperty("invite").GetInt32()));
        Assert.Equal("{}", before[("m.room.canonical_alias", "")].GetRawText());
        (await bob.JoinAsync(replacement)).Ok();
    }

    [Fact]
    public async Task Only_by_those_who_may_and_to_a_version_that_exists()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await bob.JoinAsync(room)).Ok();
        (await UpgradeAsync(bob, room, new { new_version = "12" })).Is(403, "M_FORBIDDEN");
        (await UpgradeAsync(alice, room, new { new_version = "99" })).Is(400, "M_UNSUPPORTED_ROOM_VERSION");
        (await UpgradeAsync(alice, room, new { })).Is(400, "M_MISSING_PARAM");
        (await UpgradeAsync(alice, "!no:test.example", new { new_version = "12" })).Is(404, "M_NOT_FOUND");
    }

    [Fact]
    public async Task The_place_in_the_directory_moves_along()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", visibility = "public" });
        var replacement = (await UpgradeAsync(alice, room, new { new_version = "11" })).Ok().Text("replacement_room");
        Assert.False((await fixture.Rooms.FindAsync(room, CancellationToken.None))!.IsPublic);
        Assert.True((await fixture.Rooms.FindAsync(replacement, CancellationToken.None))!.IsPublic);
    }

    [Fact]
    public async Task A_room_whose_successor_cannot_be_made_is_not_replaced()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new
        {
            room_version = "9", preset = "public_chat",
            initial_state = new[] { new { type = "m.room.power_levels", state_key = "", content = new { users = new Dictionary<string, object> { [alice.Id] = 100 }, kick = "50x" } } },
        });
        (await UpgradeAsync(alice, room, new { new_version = "11" })).Is(400, "M_INVALID_ROOM_STATE");
        Assert.False((await fixture.StateAsync(room)).ContainsKey(new("m.room.tombstone", "")));
    }

    [Fact]
    public async Task What_a_user_has_set_for_the_room_goes_along()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await bob.JoinAsync(room)).Ok();
        var store = new Matrix.Storage.AccountData.AccountDataStore(fixture.Database);
        foreach (var user in new[] { alice, bob })
        {
            await store.SetAsync(user.Id, room, "m.tag", """{"tags":{"x":{}}}"""u8.ToArray(), CancellationToken.None);
            await store.SetAsync(user.Id, "", "m.direct", JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string[]> { ["@z:z"] = [room] }), CancellationToken.None);
            await store.SetAsync(user.Id, "", "m.push_rules",
                JsonSerializer.SerializeToUtf8Bytes(new { global = new { room = new[] { new { rule_id = room, actions = new[] { "dont_notify" } } } } }), CancellationToken.None);
        }
        var replacement = (await UpgradeAsync(alice, room, new { new_version = "12" })).Ok().Text("replacement_room");
        (await bob.JoinAsync(replacement)).Ok();
        foreach (var user in new[] { alice, bob })
        {
            Assert.NotNull(await store.GetAsync(user.Id, replacement, "m.tag", CancellationToken.None));
            var direct = JsonDocument.Parse((await store.GetAsync(user.Id, "", "m.direct", CancellationToken.None))!).RootElement;
            Assert.Equal([room, replacement], direct.GetProperty("@z:z").EnumerateArray().Select(r => r.GetString()!).ToArray());
            var rules = JsonDocument.Parse((await store.GetAsync(user.Id, "", "m.push_rules", CancellationToken.None))!).RootElement;
            Assert.Equal([replacement, room], rules.GetProperty("global").GetProperty("room").EnumerateArray().Select(r => r.GetProperty("rule_id").GetString()!).ToArray());
        }
    }

    [Fact]
    public async Task Levels_that_are_text_become_numbers()
    {
        var alice = await fixture.NewUserAsync();
        var levels = new { users = new Dictionary<string, object> { [alice.Id] = "100" }, users_default = "60", ban = "70", notifications = new { room = "80" }, other = "90" };
        var room = await alice.CreateRoomAsync(new { room_version = "9", initial_state = new[] { new { type = "m.room.power_levels", state_key = "", content = levels } } });
        var replacement = (await UpgradeAsync(alice, room, new { new_version = "11" })).Ok().Text("replacement_room");
        var now = (await ContentsAsync(replacement))[("m.room.power_levels", "")];
        Assert.Equal((60, 70, 80, "90"), (now.GetProperty("users_default").GetInt32(), now.GetProperty("ban").GetInt32(),
            now.GetProperty("notifications").GetProperty("room").GetInt32(), now.GetProperty("other").GetString()));
        var before = (await ContentsAsync(room))[("m.room.power_levels", "")];
        Assert.Equal((61, 61), (before.GetProperty("events_default").GetInt32(), before.GetProperty("invite").GetInt32()));
    }

    [Fact]
    public async Task A_space_keeps_the_rooms_in_it()
    {
        var alice = await fixture.NewUserAsync();
        foreach (var type in new[] { "m.space", "x.other" })
        {
            var space = await alice.CreateRoomAsync(new { creation_content = new { type } });
            (await alice.SetStateAsync(space, "m.space.child", "!in:test.example", new { via = new[] { "test.example" }, order = "a" })).Ok();
            (await alice.SetStateAsync(space, "m.space.child", "!out:test.example", new { })).Ok();
            var now = await ContentsAsync((await UpgradeAsync(alice, space, new { new_version = "11" })).Ok().Text("replacement_room"));
            Assert.Equal(type == "m.space", now.TryGetValue(("m.space.child", "!in:test.example"), out var child));
            if (type == "m.space") Assert.Equal("""{"order":"a","via":["test.example"]}""", child.GetRawText());
            Assert.False(now.ContainsKey(("m.space.child", "!out:test.example")));
        }
    }

    [Fact]
    public async Task No_room_replaces_itself()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        (await alice.SetStateAsync(room, "m.room.tombstone", "", new { body = "x", replacement_room = room })).Is(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task A_blocked_room_is_entered_by_nobody()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        var blocks = new Matrix.Storage.Rooms.RoomBlocks(fixture.Database);
        await blocks.BlockAsync(room, "@admin:test.example", 0, CancellationToken.None);
        (await bob.JoinAsync(room)).Is(403, "M_FORBIDDEN");
        (await alice.InviteAsync(room, bob)).Is(403, "M_FORBIDDEN");
        (await bob.PostAsync($"/knock/{Uri.EscapeDataString(room)}")).Is(403, "M_FORBIDDEN");
        (await alice.SendAsync(room, "still here")).Ok();
        await blocks.UnblockAsync(room, CancellationToken.None);
        (await bob.JoinAsync(room)).Ok();
    }

    [Fact]
    public async Task Who_upgrades_has_as_much_power_afterwards_as_before()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new
        {
            room_version = "11", preset = "public_chat",
            power_level_content_override = new
            {
                users = new Dictionary<string, int> { [alice.Id] = 100, [bob.Id] = 50 },
                events = new Dictionary<string, int> { ["m.room.tombstone"] = 50, ["m.room.history_visibility"] = 100 },
            },
        });
        (await bob.JoinAsync(room)).Ok();
        var replacement = (await UpgradeAsync(bob, room, new { new_version = "11" })).Ok().Text("replacement_room");
        var users = (await ContentsAsync(replacement))[("m.room.power_levels", "")].GetProperty("users");
        Assert.Equal((100, 50), (users.GetProperty(alice.Id).GetInt32(), users.GetProperty(bob.Id).GetInt32()));

        // A creator of version 12 stands above all levels; he keeps enough to do as before.
        var twelve = await alice.CreateRoomAsync(new { room_version = "12", preset = "public_chat" });
        var eleven = (await UpgradeAsync(alice, twelve, new { new_version = "11" })).Ok().Text("replacement_room");
        Assert.True((await ContentsAsync(eleven))[("m.room.power_levels", "")].GetProperty("users").GetProperty(alice.Id).GetInt32() >= 100);
    }
}

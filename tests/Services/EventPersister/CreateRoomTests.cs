using System.Text.Json;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Presets and options of createRoom. Spec: openapi/client-server/create_room.yaml</summary>
public sealed class CreateRoomTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private async Task<Dictionary<(string Type, string Key), JsonElement>> ContentsAsync(string room) =>
        (await fixture.StateAsync(room)).ToDictionary(s => (s.Key.Type, s.Key.Key), s => JsonDocument.Parse(s.Value.Pdu.Content).RootElement.Clone());

    [Theory]
    [InlineData("private_chat", "invite", "shared", "can_join", 0)]
    [InlineData("trusted_private_chat", "invite", "shared", "can_join", 0)]
    [InlineData("public_chat", "public", "shared", null, 50)]
    public async Task A_preset_sets_what_the_table_says(string preset, string joinRule, string visibility, string? guests, int inviteLevel)
    {
        var alice = await fixture.NewUserAsync();
        var state = await ContentsAsync(await alice.CreateRoomAsync(new { preset }));
        Assert.Equal(joinRule, state[("m.room.join_rules", "")].GetProperty("join_rule").GetString());
        Assert.Equal(visibility, state[("m.room.history_visibility", "")].GetProperty("history_visibility").GetString());
        Assert.Equal(guests, state.TryGetValue(("m.room.guest_access", ""), out var g) ? g.GetProperty("guest_access").GetString() : null);
        Assert.Equal(inviteLevel, state[("m.room.power_levels", "")].GetProperty("invite").GetInt32());
    }

    [Fact]
    public async Task Without_a_preset_the_visibility_decides()
    {
        var alice = await fixture.NewUserAsync();
        var open = await alice.CreateRoomAsync(new { visibility = "public" });
        Assert.Equal("public", (await ContentsAsync(open))[("m.room.join_rules", "")].GetProperty("join_rule").GetString());
        Assert.True((await fixture.Rooms.FindAsync(open, CancellationToken.None))!.IsPublic);
        var closed = await alice.CreateRoomAsync();
        Assert.Equal("invite", (await ContentsAsync(closed))[("m.room.join_rules", "")].GetProperty("join_rule").GetString());
        Assert.False((await fixture.Rooms.FindAsync(closed, CancellationToken.None))!.IsPublic);
    }

    [Fact]
    public async Task Trusted_invitees_are_equals_by_level_before_version_12_and_creators_from_then_on()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var old = await ContentsAsync(await alice.CreateRoomAsync(new { preset = "trusted_private_chat", room_version = "11", invite = new[] { bob.Id } }));
        Assert.Equal(100, old[("m.room.power_levels", "")].GetProperty("users").GetProperty(bob.Id).GetInt32());
        Assert.Equal(100, old[("m.room.power_levels", "")].GetProperty("events").GetProperty("m.room.tombstone").GetInt32());

        var room = await alice.CreateRoomAsync(new
        {
            preset = "trusted_private_chat", room_version = "12", invite = new[] { bob.Id, bob.Id },
            creation_content = new { additional_creators = new[] { "@carol:elsewhere", bob.Id } },
        });
        var state = await ContentsAsync(room);
        Assert.Equal(["@carol:elsewhere", bob.Id], state[("m.room.create", "")].GetProperty("additional_creators").EnumerateArray().Select(e => e.GetString()!));
        Assert.Empty(state[("m.room.power_levels", "")].GetProperty("users").EnumerateObject());
        Assert.Equal(150, state[("m.room.power_levels", "")].GetProperty("events").GetProperty("m.room.tombstone").GetInt32());
        (await bob.JoinAsync(room)).Ok();
        (await bob.SetStateAsync(room, "m.room.power_levels", "", new { users_default = 1 })).Ok();
        Assert.Equal("!" + (await fixture.TimelineAsync(room))[0].Pdu.EventId[1..], room);
    }

    [Fact]
    public async Task All_options_together_come_in_the_order_of_the_specification()
    {
        var alice = await fixture.NewUserAsync("alice", "Alice");
        var bob = await fixture.NewUserAsync("bob", "Bob");
        var room = await alice.CreateRoomAsync(new
        {
            room_alias_name = "all-options", name = "Name", topic = "Topic", is_direct = true, invite = new[] { bob.Id }, room_version = "11",
            creation_content = new Dictionary<string, object> { ["m.federate"] = false, ["creator"] = "@evil:x", ["room_version"] = "1", ["type"] = "m.space" },
            initial_state = new object[]
            {
                new { type = "m.room.join_rules", content = new { join_rule = "knock" } },
                new { type = "m.room.name", state_key = "", content = new { name = "overridden" } },
                new { type = "org.example", state_key = "k", content = new { a = 1 } },
            },
            power_level_content_override = new { events_default = 7, invite = 33 },
        });
        Assert.Equal(
            ["m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias", "m.room.history_visibility", "m.room.guest_access",
             "m.room.join_rules", "org.example", "m.room.name", "m.room.topic", "m.room.member"],
            (await fixture.TimelineAsync(room)).Select(e => e.Pdu.Type));
        var state = await ContentsAsync(room);
        Assert.Equal("""{"m.federate":false,"room_version":"11","type":"m.space"}""", state[("m.room.create", "")].GetRawText());
        Assert.Equal("#all-options:" + PersisterFixture.ServerName, state[("m.room.canonical_alias", "")].GetProperty("alias").GetString());
        Assert.Equal(room, await fixture.Rooms.AliasAsync("#all-options:" + PersisterFixture.ServerName, CancellationToken.None));
        Assert.Equal("Name", state[("m.room.name", "")].GetProperty("name").GetString());
        Assert.Equal("Topic", state[("m.room.topic", "")].GetProperty("m.topic").GetProperty("m.text")[0].GetProperty("body").GetString());
        Assert.Equal("knock", state[("m.room.join_rules", "")].GetProperty("join_rule").GetString());
        Assert.Equal((7, 33, 50), (Level("events_default"), Level("invite"), Level("kick")));
        Assert.Equal("Alice", state[("m.room.member", alice.Id)].GetProperty("displayname").GetString());
        var invite = state[("m.room.member", bob.Id)];
        Assert.True(invite.GetProperty("is_direct").GetBoolean());
        Assert.Equal(("invite", "Bob"), (invite.GetProperty("membership").GetString(), invite.GetProperty("displayname").GetString()));
        Assert.False(state[("m.room.member", alice.Id)].TryGetProperty("is_direct", out _));

        int Level(string name) => state[("m.room.power_levels", "")].GetProperty(name).GetInt32();
    }

    [Fact]
    public async Task A_taken_alias_is_refused_also_when_two_ask_at_once()
    {
        var alice = await fixture.NewUserAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i =>
            alice.At(i % 2 == 0 ? fixture.One : fixture.Two).PostAsync("/createRoom", new { room_alias_name = "wanted" })));
        Assert.Single(answers, a => a.Status == 200);
        Assert.All(answers.Where(a => a.Status != 200), a => a.Is(400, "M_ROOM_IN_USE"));
        (await alice.PostAsync("/createRoom", new { room_alias_name = "wanted" })).Is(400, "M_ROOM_IN_USE");
    }

    public static TheoryData<string, int, string> Refused => new()
    {
        { """{"room_version":"99"}""", 400, "M_UNSUPPORTED_ROOM_VERSION" },
        { """{"room_version":5}""", 400, "M_BAD_JSON" },
        { """{"visibility":"hidden"}""", 400, "M_BAD_JSON" },
        { """{"preset":"mine"}""", 400, "M_BAD_JSON" },
        { """{"name":3}""", 400, "M_BAD_JSON" },
        { """{"invite":["bob"]}""", 400, "M_INVALID_PARAM" },
        { """{"invite":"@bob:x"}""", 400, "M_BAD_JSON" },
        { """{"invite_3pid":[{"medium":"email"}]}""", 400, "M_MISSING_PARAM" },
        { """{"room_alias_name":"a:b"}""", 400, "M_INVALID_PARAM" },
        { """{"room_alias_name":"a b"}""", 400, "M_INVALID_PARAM" },
        { """{"initial_state":[{"content":{}}]}""", 400, "M_BAD_JSON" },
        { """{"initial_state":[{"type":"x"}]}""", 400, "M_BAD_JSON" },
        { """{"initial_state":[{"type":"x","content":{"a":1.5}}]}""", 400, "M_BAD_JSON" },
        { """{"room_version":"11","name":"n","power_level_content_override":{"users":{}}}""", 400, "M_INVALID_ROOM_STATE" },
        { """{"room_version":"12","creation_content":{"additional_creators":["x"]}}""", 400, "M_INVALID_ROOM_STATE" },
        { """{"creation_content":[]}""", 400, "M_BAD_JSON" },
        { "[]", 400, "M_BAD_JSON" },
        { "{", 400, "M_NOT_JSON" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public async Task A_wrong_request_is_refused_and_leaves_nothing(string body, int status, string code)
    {
        var alice = await fixture.NewUserAsync();
        (await alice.Host.SendAsync(HttpMethod.Post, alice.Token, "/_matrix/client/v3/createRoom", body)).Is(status, code);
        Assert.Empty(await fixture.Rooms.MembershipsOfUserAsync(alice.Id, CancellationToken.None));
    }

    [Fact]
    public async Task Rooms_made_by_one_user_at_once_are_different_rooms()
    {
        var alice = await fixture.NewUserAsync();
        var rooms = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => alice.At(i % 2 == 0 ? fixture.One : fixture.Two).CreateRoomAsync()));
        Assert.Equal(20, rooms.Distinct().Count());
    }

    [Theory]
    [InlineData("api/v1")]
    [InlineData("r0")]
    [InlineData("v3")]
    [InlineData("unstable")]
    public async Task Rooms_are_made_under_every_prefix(string prefix)
    {
        var alice = await fixture.NewUserAsync();
        (await alice.Host.SendAsync(HttpMethod.Post, alice.Token, $"/_matrix/client/{prefix}/createRoom", "{}")).Ok();
        (await alice.Host.SendAsync(HttpMethod.Post, null, $"/_matrix/client/{prefix}/createRoom", "{}")).Is(401, "M_MISSING_TOKEN");
    }
}

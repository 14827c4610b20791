namespace Matrix.ServiceTests.EventPersister;

/// <summary>Ways into a room, and reading of single state events.</summary>
public sealed class JoinTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static string E(string part) => Uri.EscapeDataString(part);

    [Fact]
    public async Task By_alias()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", room_alias_name = "by-alias" });
        Assert.Equal(room, (await bob.PostAsync($"/join/{E("#by-alias:test.example")}")).Ok().Text("room_id"));
    }

    [Fact]
    public async Task What_else_the_body_of_a_join_holds_goes_into_the_member_event()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync("bob", "Bob");
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await bob.PostAsync($"/join/{E(room)}", new { foo = "bar", membership = "ban", third_party_signed = default(object) })).Ok();
        var member = (await fixture.StateAsync(room))[new("m.room.member", bob.Id)];
        Assert.Equal("""{"displayname":"Bob","foo":"bar","membership":"join"}""", System.Text.Encoding.UTF8.GetString(member.Pdu.Content.Span));
    }

    [Fact]
    public async Task Joining_twice_is_joining_once()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        var before = (await fixture.TimelineAsync(room)).Count;
        (await alice.JoinAsync(room)).Ok();
        Assert.Equal(before, (await fixture.TimelineAsync(room)).Count);
        (await alice.LeaveAsync(room)).Ok();
        (await alice.LeaveAsync(room)).Ok();
        Assert.Equal(before + 1, (await fixture.TimelineAsync(room)).Count);
    }

    [Theory]
    [InlineData("public")]
    [InlineData("knock")]
    [InlineData("invite")]
    public async Task A_room_that_everybody_has_left_is_not_entered_again(string rule)
    {
        var (alice, bob, carol) = (await fixture.NewUserAsync(), await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new { initial_state = new[] { new { type = "m.room.join_rules", content = new { join_rule = rule } } } });
        (await alice.InviteAsync(room, carol)).Ok();
        (await alice.LeaveAsync(room)).Ok();
        foreach (var user in new[] { alice, bob, carol })
        {
            (await user.JoinAsync(room)).Is(404, "M_NOT_FOUND");
            (await user.PostAsync($"/join/{E(room)}")).Is(404, "M_NOT_FOUND");
        }
        (await bob.PostAsync($"/knock/{E(room)}")).Is(404, "M_NOT_FOUND");
    }

    [Theory]
    [InlineData("restricted", "10")]
    [InlineData("knock_restricted", "12")]
    public async Task Members_of_the_space_come_in_and_somebody_here_vouches_for_them(string rule, string version)
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var carol = await fixture.NewUserAsync();
        var space = await alice.CreateRoomAsync(new { preset = "public_chat", creation_content = new { type = "m.space" } });
        var room = await alice.CreateRoomAsync(new
        {
            room_version = version,
            initial_state = new[] { new { type = "m.room.join_rules", content = new { join_rule = rule, allow = new[] { new { type = "m.room_membership", room_id = space } } } } },
        });
        (await bob.JoinAsync(room)).Is(403, "M_FORBIDDEN");
        (await bob.JoinAsync(space)).Ok();
        (await bob.JoinAsync(room)).Ok();
        var member = (await fixture.StateAsync(room))[new("m.room.member", bob.Id)];
        Assert.Equal(alice.Id, member.Pdu.ContentString("join_authorised_via_users_server"u8));
        (await alice.InviteAsync(room, carol)).Ok();
        (await carol.JoinAsync(room)).Ok();
        Assert.Null((await fixture.StateAsync(room))[new("m.room.member", carol.Id)].Pdu.ContentString("join_authorised_via_users_server"u8));
    }

    [Fact]
    public async Task By_knocking()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync("bob", "Bob");
        var room = await alice.CreateRoomAsync(new { initial_state = new[] { new { type = "m.room.join_rules", content = new { join_rule = "knock" } } } });
        var closed = await alice.CreateRoomAsync();
        (await bob.PostAsync($"/knock/{E(closed)}")).Is(403, "M_FORBIDDEN");
        (await bob.PostAsync($"/knock/{E(room)}", new { reason = "please" })).Ok();
        (await bob.JoinAsync(room)).Is(403, "M_FORBIDDEN");
        var knock = (await fixture.StateAsync(room))[new("m.room.member", bob.Id)];
        Assert.Equal(("please", "Bob"), (knock.Pdu.ContentString("reason"u8), knock.Pdu.ContentString("displayname"u8)));
        (await alice.InviteAsync(room, bob)).Ok();
        (await bob.JoinAsync(room)).Ok();
    }

    [Fact]
    public async Task A_single_state_event_is_read_by_those_who_may()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var stranger = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "one" });
        var path = $"/rooms/{E(room)}/state/m.room.name";
        (await bob.GetAsync(path)).Is(403, "M_FORBIDDEN");
        (await bob.JoinAsync(room)).Ok();
        Assert.Equal("one", (await bob.GetAsync(path)).Ok().Text("name"));
        Assert.Equal("one", (await bob.GetAsync(path + "/")).Ok().Text("name"));
        var whole = (await bob.GetAsync(path + "?format=event")).Ok();
        Assert.Equal(("m.room.name", room, alice.Id, "one"),
            (whole.Text("type"), whole.Text("room_id"), whole.Text("sender"), whole.Body.GetProperty("content").GetProperty("name").GetString()));
        (await bob.GetAsync(path + "?format=odd")).Is(400, "M_INVALID_PARAM");
        (await bob.GetAsync($"/rooms/{E(room)}/state/m.room.topic")).Is(404, "M_NOT_FOUND");
        Assert.Equal("join", (await bob.GetAsync($"/rooms/{E(room)}/state/m.room.member/{E(bob.Id)}")).Ok().Text("membership"));

        (await bob.LeaveAsync(room)).Ok();
        (await alice.SetStateAsync(room, "m.room.name", "", new { name = "two" })).Ok();
        Assert.Equal("one", (await bob.GetAsync(path)).Ok().Text("name"));
        (await alice.SetStateAsync(room, "m.room.history_visibility", "", new { history_visibility = "world_readable" })).Ok();
        Assert.Equal("two", (await stranger.GetAsync(path)).Ok().Text("name"));
    }

    [Fact]
    public async Task Ids_with_slashes_and_percent_signs_are_themselves()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        const string Type = "x/y%2F", Key = "a/../b?#%2F 🛳";
        (await alice.SetStateAsync(room, Type, Key, new { ok = true })).Ok();
        Assert.Contains(await fixture.StateAsync(room), s => s.Key == new StateKey2(Type, Key));
        (await alice.GetAsync($"/rooms/{E(room)}/state/{E(Type)}/{E(Key)}")).Ok();
        var id = (await alice.SendAsync(room, "x", "t/%2F?")).Ok().EventId;
        Assert.Equal(id, (await alice.SendAsync(room, "x", "t/%2F?")).Ok().EventId);
    }
}

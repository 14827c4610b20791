namespace Matrix.ServiceTests.EventPersister;

/// <summary>What clients hear when something may not be.</summary>
public sealed class RefusalTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static string E(string part) => Uri.EscapeDataString(part);

    [Fact]
    public async Task Rooms_and_people_that_do_not_exist()
    {
        var alice = await fixture.NewUserAsync();
        (await alice.SendAsync("!no:test.example", "x")).Is(403, "M_FORBIDDEN");
        (await alice.JoinAsync("!no:test.example")).Is(404, "M_NOT_FOUND");
        (await alice.LeaveAsync("!no:test.example")).Is(403, "M_FORBIDDEN");
        (await alice.PostAsync($"/join/{E("#no:test.example")}")).Is(404, "M_NOT_FOUND");
        (await alice.PostAsync($"/join/{E("#no:elsewhere")}")).Is(404, "M_NOT_FOUND");
        (await alice.PostAsync("/join/nonsense")).Is(400, "M_INVALID_PARAM");
        (await alice.GetAsync($"/rooms/{E("!no:test.example")}/state/m.room.name")).Is(403, "M_FORBIDDEN");
        var room = await alice.CreateRoomAsync();
        (await alice.PostAsync($"/rooms/{E(room)}/invite", new { user_id = "nonsense" })).Is(400, "M_INVALID_PARAM");
        (await alice.PostAsync($"/rooms/{E(room)}/invite", new { })).Is(400, "M_MISSING_PARAM");
        (await alice.PostAsync($"/rooms/{E(room)}/invite", new { medium = "email", address = "a@b" })).Is(400, "M_MISSING_PARAM");
        (await alice.PostAsync($"/rooms/{E(room)}/kick", new { })).Is(400, "M_MISSING_PARAM");
    }

    [Fact]
    public async Task Contents_that_are_no_event()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        var send = $"/rooms/{E(room)}/send/m.room.message/";
        (await alice.PutAsync(send + "1", "nonsense")).Is(400, "M_NOT_JSON");
        (await alice.PutAsync(send + "2", "[]")).Is(400, "M_BAD_JSON");
        (await alice.PutAsync(send + "3", "")).Is(400, "M_NOT_JSON");
        (await alice.PutAsync(send + "4", """{"a":1.5}""")).Is(400, "M_BAD_JSON");
        (await alice.PutAsync(send + "5", """{"a":9007199254740992}""")).Is(400, "M_BAD_JSON");
        (await alice.PutAsync(send + "6", """{"a":1,"a":2}""")).Is(400, "M_BAD_JSON");
        (await alice.PutAsync(send + "7", $$"""{"body":"{{new string('x', 70_000)}}"}""")).Is(413, "M_TOO_LARGE");
        (await alice.PutAsync($"/rooms/{E(room)}/send/{new string('t', 300)}/8", "{}")).Is(413, "M_TOO_LARGE");
        (await alice.PutAsync($"/rooms/{E(room)}/state/x/{new string('k', 300)}", "{}")).Is(413, "M_TOO_LARGE");
        // What was refused left no trace: the room goes on.
        (await alice.SendAsync(room, "still here")).Ok();
        Assert.Single((await fixture.TimelineAsync(room)).Where(e => e.Pdu.Type == "m.room.message"));
    }

    [Fact]
    public async Task State_that_a_client_may_not_write()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", room_version = "11" });
        (await bob.JoinAsync(room)).Ok();
        (await alice.SetStateAsync(room, "m.room.create", "", new { })).Is(403, "M_FORBIDDEN");
        (await alice.SetStateAsync(room, "m.room.power_levels", "", new { users = new Dictionary<string, object> { [alice.Id] = "100" } })).Is(400, "M_BAD_JSON");
        (await alice.SetStateAsync(room, "m.room.power_levels", "", new { ban = "x" })).Is(400, "M_BAD_JSON");
        (await bob.SetStateAsync(room, "m.room.name", "", new { name = "x" })).Is(403, "M_FORBIDDEN");
        (await bob.SetStateAsync(room, "x.y", alice.Id, new { })).Is(403, "M_FORBIDDEN");
        (await alice.SetStateAsync(room, "m.room.canonical_alias", "", new { alias = "#no:test.example" })).Is(400, "M_BAD_ALIAS");
        (await alice.SetStateAsync(room, "m.room.canonical_alias", "", new { alias = "nonsense" })).Is(400, "M_INVALID_PARAM");
        (await alice.SetStateAsync(room, "m.room.canonical_alias", "", new { alt_aliases = new[] { "#no:test.example" } })).Is(400, "M_BAD_ALIAS");
        (await alice.SetStateAsync(room, "m.room.server_acl", "", new { allow = Array.Empty<string>() })).Is(400, "M_BAD_JSON");
        (await alice.SetStateAsync(room, "m.room.server_acl", "", new { allow = new[] { "*" }, deny = new[] { "*.example" } })).Is(400, "M_BAD_JSON");
        (await alice.SetStateAsync(room, "m.room.server_acl", "", new { allow = new[] { "*" }, deny = new[] { "evil.com" } })).Ok();
    }

    [Fact]
    public async Task Member_events_written_as_state_are_what_they_amount_to()
    {
        var alice = await fixture.NewUserAsync("alice", "Alice");
        var bob = await fixture.NewUserAsync("bob", "Bob");
        var room = await alice.CreateRoomAsync();
        (await alice.SetStateAsync(room, "m.room.member", "nonsense", new { membership = "invite" })).Is(400, "M_BAD_JSON");
        (await alice.SetStateAsync(room, "m.room.member", bob.Id, new { })).Is(400, "M_BAD_JSON");
        (await alice.SetStateAsync(room, "m.room.member", bob.Id, new { membership = "emperor" })).Is(400, "M_BAD_JSON");
        (await alice.SetStateAsync(room, "m.room.member", bob.Id, new { membership = "join" })).Is(403, "M_FORBIDDEN");
        (await alice.SetStateAsync(room, "m.room.member", bob.Id, new { membership = "leave" })).Is(403, "M_FORBIDDEN");
        (await alice.SetStateAsync(room, "m.room.member", bob.Id, new { membership = "invite" })).Ok();
        (await bob.SetStateAsync(room, "m.room.member", bob.Id, new { membership = "join", displayname = "Robert" })).Ok();
        var member = (await fixture.StateAsync(room))[new("m.room.member", bob.Id)];
        Assert.Equal("""{"displayname":"Robert","membership":"join"}""", System.Text.Encoding.UTF8.GetString(member.Pdu.Content.Span));
        (await alice.SetStateAsync(room, "m.room.member", bob.Id, new { membership = "ban", reason = "r" })).Ok();
        (await bob.LeaveAsync(room)).Is(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Only_application_services_choose_the_time()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        (await alice.PutAsync($"/rooms/{E(room)}/send/m.room.message/ts?ts=1000", new { body = "x" })).Ok();
        Assert.NotEqual(1000, (await fixture.TimelineAsync(room))[^1].Pdu.OriginServerTs);
    }

    [Fact]
    public async Task One_refused_event_does_not_spoil_others_of_its_turn()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => (i % 3) switch
        {
            0 => alice.SendAsync(room, $"{i}"),
            1 => bob.SendAsync(room, $"{i}"),
            _ => alice.PutAsync($"/rooms/{E(room)}/send/m.room.message/bad{i}", """{"a":1.5}"""),
        }));
        for (var i = 0; i < answers.Length; i++) Assert.Equal((i % 3) switch { 0 => 200, 1 => 403, _ => 400 }, answers[i].Status);
        Assert.Equal(20, (await fixture.TimelineAsync(room)).Count(e => e.Pdu.Type == "m.room.message"));
    }

    [Fact]
    public async Task Guests_come_only_where_they_may()
    {
        var alice = await fixture.NewUserAsync();
        var guest = await fixture.NewUserAsync(guest: true);
        var open = await alice.CreateRoomAsync(new
        {
            preset = "public_chat", initial_state = new[] { new { type = "m.room.guest_access", content = new { guest_access = "can_join" } } },
        });
        var closed = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await guest.PostAsync("/createRoom")).Is(403, "M_GUEST_ACCESS_FORBIDDEN");
        (await guest.JoinAsync(closed)).Is(403, "M_GUEST_ACCESS_FORBIDDEN");
        (await guest.JoinAsync(open)).Ok();
        (await guest.SendAsync(open, "hello")).Ok();
    }

    [Fact]
    public async Task Guests_go_when_what_let_them_in_is_redacted()
    {
        var (alice, guest) = (await fixture.NewUserAsync(), await fixture.NewUserAsync(guest: true));
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        var first = (await alice.SetStateAsync(room, "m.room.guest_access", "", new { guest_access = "can_join" })).Ok().EventId;
        var second = (await alice.SetStateAsync(room, "m.room.guest_access", "", new { guest_access = "can_join", again = true })).Ok().EventId;
        (await guest.JoinAsync(room)).Ok();
        async Task<string?> MembershipAsync() => (await fixture.StateAsync(room))[new("m.room.member", guest.Id)].Pdu.Membership;
        // What was replaced lets nobody in.
        (await alice.RedactAsync(room, first)).Ok();
        Assert.Equal("join", await MembershipAsync());
        (await alice.RedactAsync(room, second)).Ok();
        Assert.Equal("leave", await MembershipAsync());
    }
}

using System.Text.Json;
using Matrix.Storage.Events;

namespace Matrix.ServiceTests.EventPersister;

public sealed class RoomLifeTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    [Theory]
    [InlineData("10")]
    [InlineData("11")]
    [InlineData("12")]
    public async Task Two_users_meet_talk_and_part(string version)
    {
        var alice = await fixture.NewUserAsync("alice", "Alice");
        var bob = await fixture.NewUserAsync("bob", "Bob");
        var room = await alice.CreateRoomAsync(new { room_version = version, name = "Room", topic = "Talk" });
        Assert.Equal(version != "12", room.Contains(':'));
        (await bob.JoinAsync(room)).Is(403, "M_FORBIDDEN");
        (await alice.InviteAsync(room, bob)).Ok();
        Assert.Equal(room, (await bob.JoinAsync(room)).Ok().Text("room_id"));
        var first = (await alice.SendAsync(room, "hello")).Ok().EventId;
        var second = (await bob.SendAsync(room, "hi")).Ok().EventId;
        (await bob.LeaveAsync(room)).Ok();
        (await bob.SendAsync(room, "too late")).Is(403, "M_FORBIDDEN");

        var timeline = await fixture.TimelineAsync(room);
        Assert.Equal(
            ["m.room.create", "m.room.member", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility", "m.room.guest_access",
             "m.room.name", "m.room.topic", "m.room.member", "m.room.member", "m.room.message", "m.room.message", "m.room.member"],
            timeline.Select(e => e.Pdu.Type));
        Assert.Equal([first, second], timeline.Where(e => e.Pdu.Type == "m.room.message").Select(e => e.Pdu.EventId));
        for (var i = 1; i < timeline.Count; i++)
        {
            Assert.Equal([timeline[i - 1].Pdu.EventId], timeline[i].Pdu.PrevEvents);
            Assert.Equal(i + 1, timeline[i].Pdu.Depth);
        }
        var members = await fixture.Rooms.MembersAsync(timeline[0].RoomNid, [], CancellationToken.None);
        Assert.Equal([("join", alice.Id), ("leave", bob.Id)], members.OrderBy(m => m.UserId).Select(m => (m.Membership, m.UserId)));
        Assert.All(members, m => Assert.Equal(timeline.Last(e => e.Pdu.StateKey == m.UserId).Position, m.Position));
        Assert.Equal(timeline.Count, (await fixture.Rooms.FindAsync(room, CancellationToken.None))!.Head);
    }

    [Fact]
    public async Task State_at_every_event_can_be_rebuilt()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        for (var i = 0; i < 40; i++)
        {
            (await alice.SetStateAsync(room, "x.state", $"k{i % 7}", new { i })).Ok();
            if (i % 5 == 0) (await alice.SendAsync(room, "x")).Ok();
        }
        var state = new Dictionary<(string, string), string>();
        foreach (var e in await fixture.TimelineAsync(room))
        {
            if (e.Pdu.StateKey is not null) state[(e.Pdu.Type, e.Pdu.StateKey)] = e.Pdu.EventId;
            var stored = await fixture.States.EventsAsync(e.SnapshotNid!.Value, CancellationToken.None);
            Assert.Equal(state.OrderBy(s => s.Key), stored.ToDictionary(s => (s.Pdu.Type, s.Pdu.StateKey!), s => s.Pdu.EventId).OrderBy(s => s.Key));
        }
        Assert.Equal(state.Values.Order(), (await fixture.StateAsync(room)).Values.Select(e => e.Pdu.EventId).Order());
        var nid = (await fixture.Rooms.FindAsync(room, CancellationToken.None))!.RoomNid;
        Assert.Equal(1, await fixture.CountAsync("select count(*) from forward_extremities where room_nid = $1", nid));
    }

    [Fact]
    public async Task A_redaction_empties_its_target_in_the_same_transaction()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await bob.JoinAsync(room)).Ok();
        var secret = (await bob.SendAsync(room, "secret")).Ok().EventId;
        var other = (await alice.SendAsync(room, "other")).Ok().EventId;
        (await bob.RedactAsync(room, other)).Is(403, "M_FORBIDDEN");
        (await bob.RedactAsync(room, "$nothing")).Is(404, "M_NOT_FOUND");
        var redaction = (await bob.RedactAsync(room, secret)).Ok().EventId;
        (await alice.RedactAsync(room, "$unknown")).Ok();

        var stored = (await fixture.Events.ByIdsAsync([secret], CancellationToken.None))[0];
        Assert.Equal("{}", System.Text.Encoding.UTF8.GetString(stored.Pdu.Content.Span));
        Assert.True(stored.Flags.HasFlag(EventFlags.Redacted));
        Assert.Equal(redaction, stored.RedactedBy);
        Assert.Equal(secret, (await fixture.Events.ByIdsAsync([redaction], CancellationToken.None))[0].Pdu.Redacts);
        Assert.Equal(EventFlags.Reads, (await fixture.Events.ByIdsAsync([other], CancellationToken.None))[0].Flags);
    }

    [Fact]
    public async Task Redacted_state_is_gone_from_memory_too()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { name = "secret" });
        var name = (await fixture.StateAsync(room))[new("m.room.name", "")].Pdu.EventId;
        (await alice.RedactAsync(room, name)).Ok();
        Assert.Equal("{}", (await alice.GetAsync($"/rooms/{Uri.EscapeDataString(room)}/state/m.room.name")).Ok().Body.GetRawText());
        // Not a repetition of what is no longer there; and what it replaces is shown without its content.
        Assert.NotEqual(name, (await alice.SetStateAsync(room, "m.room.name", "", new { name = "secret" })).Ok().EventId);
        Assert.Equal("{}", System.Text.Encoding.UTF8.GetString((await fixture.TimelineAsync(room))[^1].PrevContent.Span));
    }

    [Fact]
    public async Task The_same_state_again_is_the_same_event()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        var first = (await alice.SetStateAsync(room, "m.room.name", "", new { name = "A" })).Ok().EventId;
        Assert.Equal(first, (await alice.SetStateAsync(room, "m.room.name", "", new { name = "A" })).Ok().EventId);
        Assert.NotEqual(first, (await alice.SetStateAsync(room, "m.room.name", "", new { name = "B" })).Ok().EventId);
    }

    [Fact]
    public async Task Kick_ban_and_unban_do_what_they_say()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await alice.ActAsync(room, "kick", bob)).Is(403, "M_FORBIDDEN");
        (await bob.JoinAsync(room)).Ok();
        (await bob.ActAsync(room, "kick", alice)).Is(403, "M_FORBIDDEN");
        (await alice.ActAsync(room, "kick", bob, "go")).Ok();
        (await bob.JoinAsync(room)).Ok();
        (await alice.ActAsync(room, "unban", bob)).Is(403, "M_BAD_STATE");
        (await alice.ActAsync(room, "ban", bob)).Ok();
        (await bob.JoinAsync(room)).Is(403, "M_FORBIDDEN");
        (await alice.InviteAsync(room, bob)).Is(403, "M_BAD_STATE");
        (await alice.ActAsync(room, "unban", bob)).Ok();
        (await bob.JoinAsync(room)).Ok();
        var kick = (await fixture.TimelineAsync(room)).First(e => e.Pdu.Sender == alice.Id && e.Pdu.StateKey == bob.Id);
        Assert.Equal("go", JsonDocument.Parse(kick.Pdu.Content).RootElement.GetProperty("reason").GetString());
    }
}

using System.Text.Json;

namespace Matrix.ServiceTests.Sync;

/// <summary>Rooms that a user is invited to or knocks at, and how memberships are told.</summary>
public sealed class MembershipTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static List<JsonElement> Stripped(JsonElement? part, string section) => [.. part!.Value.At(section, "events")!.Value.EnumerateArray()];

    [Fact]
    public async Task An_invitation_comes_with_stripped_state()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "private_chat", name = "Tea", topic = "secret topic" });
        var since = (await bob.SyncAsync()).Next;
        await alice.InviteAsync(room, bob);
        foreach (var host in new[] { fixture.One, fixture.Two })
            foreach (var from in new[] { since, null })
            {
                var answer = from is null ? await bob.SyncAsync(at: host) : await bob.SyncUntilAsync(from, a => a.Invited(room) is not null, host);
                var state = Stripped(answer.Invited(room), "invite_state");
                Assert.Equal("Tea", state.Single(e => e.Text("type") == "m.room.name").GetProperty("content").Text("name"));
                Assert.Contains(state, e => e.Text("type") == "m.room.create");
                Assert.Contains(state, e => e.Text("type") == "m.room.join_rules");
                Assert.Contains(state, e => RoomAnswer.Key(e) == $"m.room.member|{alice.Id}");
                Assert.Equal($"m.room.member|{bob.Id}", RoomAnswer.Key(state[^1]));
                Assert.Equal("invite", state[^1].GetProperty("content").Text("membership"));
                Assert.All(state, e => Assert.Equal(["content", "sender", "state_key", "type"], e.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal)));
                Assert.Empty(answer.JoinedRooms);
            }
    }

    [Fact]
    public async Task An_invitation_is_told_once_and_then_no_news_of_the_room()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var since = (await bob.SyncAsync()).Next;
        await alice.InviteAsync(room, bob);
        var told = await bob.SyncUntilAsync(since, a => a.Invited(room) is not null);
        await alice.SayAsync(room, "not for him");
        Assert.True((await bob.SyncAsync(told.Next)).IsEmpty);
    }

    [Fact]
    public async Task Rejecting_an_invitation_tells_the_leave_event_and_nothing_of_the_room()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "private_chat" });
        await alice.SayAsync(room, "secret");
        await alice.InviteAsync(room, bob);
        var since = (await bob.SyncAsync()).Next;
        await bob.LeaveAsync(room);
        var left = (await bob.SyncUntilAsync(since, a => a.Left(room) is not null)).Left(room)!;
        Assert.Equal("leave", Assert.Single(left.Timeline).GetProperty("content").Text("membership"));
        Assert.Empty(left.State);
    }

    [Fact]
    public async Task Who_was_never_in_is_told_in_the_state_that_he_is_out()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (room, other) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        foreach (var id in new[] { room, other }) await alice.InviteAsync(id, bob);
        var since = (await bob.SyncAsync()).Next;
        var clients = new[] { new[] { "m.room.member", "$ME" }, ["m.room.member", "$LAZY"], ["m.room.name", ""] }
            .Select((required, i) => new SlidingClient(bob.On($"D{i}"), SlidingClient.Lists(SlidingClient.List(required: new[] { required })))).ToList();
        foreach (var client in clients) await client.StepAsync();
        await bob.LeaveAsync(room);
        await alice.KickAsync(other, bob);
        await bob.SyncUntilAsync(since, a => a.Left(other) is not null);
        var told = await bob.SyncAsync(since, stateAfter: true);
        foreach (var id in new[] { room, other })
        {
            Assert.Equal([$"m.room.member|{bob.Id}"], told.Left(id)!.StateKeys);
            Assert.Empty((await bob.SyncAsync(since)).Left(id)!.State);
        }
        var expected = new[] { 1, 1, 0 };
        for (var i = 0; i < clients.Count; i++)
        {
            var answer = await clients[i].StepAsync();
            Assert.Equal((expected[i], expected[i]), (answer.Room(room)!.State.Count, answer.Room(other)!.State.Count));
        }
    }

    [Fact]
    public async Task Who_was_put_out_and_invited_again_by_somebody_whom_he_ignores_is_told_that_he_is_out()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await bob.SetAccountDataAsync("m.ignored_user_list", new { ignored_users = new Dictionary<string, object> { [alice.Id] = new { } } });
        var since = (await bob.SyncAsync()).Next;
        var sliding = new SlidingClient(bob, SlidingClient.Lists(SlidingClient.List()));
        Assert.Equal([room], (await sliding.StepAsync()).RoomIds);
        await alice.KickAsync(room, bob);
        await alice.InviteAsync(room, bob);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var answer = await bob.SyncUntilAsync(since, a => a.Left(room) is not null, host);
            Assert.Null(answer.Invited(room));
            Assert.Equal("leave", answer.Left(room)!.Timeline[^1].GetProperty("content").Text("membership"));
            Assert.True((await bob.SyncAsync(answer.Next, at: host)).IsEmpty);
        }
        Assert.Equal("leave", (await sliding.UntilAsync(a => a.Room(room) is not null)).Room(room)!.Json.Text("membership"));
        Assert.Equal(0, (await sliding.StepAsync()).Count());
    }

    [Fact]
    public async Task A_knock_is_told_with_stripped_state()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new
        {
            name = "Club", initial_state = new[] { new { type = "m.room.join_rules", state_key = "", content = new { join_rule = "knock" } } },
        });
        var since = (await bob.SyncAsync()).Next;
        await bob.KnockAsync(room);
        var state = Stripped((await bob.SyncUntilAsync(since, a => a.Knocked(room) is not null)).Knocked(room), "knock_state");
        Assert.Contains(state, e => e.Text("type") == "m.room.name");
        Assert.Equal("knock", state[^1].GetProperty("content").Text("membership"));
    }

    [Fact]
    public async Task What_came_while_somebody_was_out_of_a_private_history_is_told_when_it_still_stands()
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await alice.SetAsync(room, "m.room.history_visibility", new { history_visibility = "joined" });
        var since = (await bob.SyncAsync()).Next;
        await bob.LeaveAsync(room);
        await carol.JoinAsync(room);
        await alice.SayAsync(room, "hidden");
        await alice.SetAsync(room, "m.room.topic", new { topic = "hidden, and replaced" });
        await alice.SetAsync(room, "m.room.topic", new { topic = "stands" });
        await bob.JoinAsync(room);
        var joined = (await bob.SyncUntilAsync(since, a => a.Joined(room) is not null)).Joined(room)!;
        var keys = joined.Timeline.Where(e => e.TryGetProperty("state_key", out _)).Select(e => e.Text("type") + "|" + e.Text("state_key")).ToList();
        Assert.Contains($"m.room.member|{carol.Id}", keys);
        Assert.Single(keys, "m.room.topic|");
        Assert.DoesNotContain("hidden", joined.Bodies);
    }

    [Fact]
    public async Task A_member_event_that_the_filter_hides_is_no_news()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var filter = new { room = new { timeline = new { types = Array.Empty<string>() }, state = new { types = new[] { "a.made.up.type" } } } };
        var since = (await alice.SyncAsync(filter: filter)).Next;
        await bob.JoinAsync(room);
        Assert.Null((await alice.SyncAsync(since, filter: filter)).Joined(room));
    }

    [Fact]
    public async Task The_membership_of_the_reader_stands_at_every_event()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await alice.SayAsync(room, "before");
        await bob.JoinAsync(room);
        await alice.SayAsync(room, "after");
        var events = (await bob.SyncAsync()).Joined(room)!.Timeline;
        Assert.Equal(["leave", "join", "join"], events.TakeLast(3).Select(e => e.At("unsigned", "membership")?.GetString()));
    }
}

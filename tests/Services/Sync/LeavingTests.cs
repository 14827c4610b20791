namespace Matrix.ServiceTests.Sync;

/// <summary>Rooms that a user leaves, is put out of, or forgets.</summary>
public sealed class LeavingTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    [Fact]
    public async Task Leaving_tells_the_timeline_up_to_it_and_nothing_after()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        var seen = await alice.SayAsync(room, "seen");
        await bob.LeaveAsync(room);
        await alice.SayAsync(room, "not seen");
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var answer = await bob.SyncUntilAsync(since, a => a.Left(room) is not null, host);
            var left = answer.Left(room)!;
            Assert.Equal(["seen", "m.room.member"], left.Bodies);
            Assert.Equal(seen, left.Ids[0]);
            Assert.Null(answer.Joined(room));
            Assert.False(left.Limited);
            Assert.True((await bob.SyncAsync(answer.Next, at: host)).IsEmpty);
        }
    }

    [Fact]
    public async Task Who_came_and_went_is_told_that_there_may_be_more_and_where_he_was_at_each_event()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var since = (await bob.SyncAsync()).Next;
        await bob.JoinAsync(room);
        await alice.SayAsync(room, "seen");
        await bob.LeaveAsync(room);
        var left = (await bob.SyncUntilAsync(since, a => a.Left(room) is not null)).Left(room)!;
        Assert.True(left.Limited);
        Assert.Equal(["leave", "join", "join", "leave"], left.Timeline.Select(e => e.At("unsigned", "membership")?.GetString()).TakeLast(4));
        Assert.All(left.Timeline, e => Assert.NotNull(e.At("unsigned", "membership")));
    }

    [Fact]
    public async Task State_of_a_stay_that_the_timeline_does_not_show_is_told_as_it_was_in_the_end()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await alice.SetAsync(room, "m.room.history_visibility", new { history_visibility = "joined" });
        await alice.SetAsync(room, "m.room.topic", new { topic = "before" });
        await bob.LeaveAsync(room);
        await alice.SetAsync(room, "m.room.topic", new { topic = "while he was away" });
        await bob.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        await bob.LeaveAsync(room);
        await alice.SetAsync(room, "m.room.topic", new { topic = "after" });
        await bob.SyncUntilAsync(since, a => a.Left(room) is not null);
        var left = (await bob.SyncAsync(filter: new { room = new { timeline = new { limit = 50 }, include_leave = true } })).Left(room)!;
        Assert.DoesNotContain(left.Timeline, e => e.At("content", "topic")?.GetString() == "while he was away");
        Assert.Equal("while he was away", left.State.Single(e => e.Text("type") == "m.room.topic").At("content", "topic")!.Value.GetString());
    }

    [Fact]
    public async Task Full_state_means_that_of_rooms_that_were_left_too()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        await bob.LeaveAsync(room);
        Assert.Empty((await bob.SyncAsync(since)).Left(room)!.State);
        var full = await bob.CallAsync(fixture.One, HttpMethod.Get, $"/_matrix/client/v3/sync?since={since}&full_state=true");
        Assert.Contains("m.room.create|", new SyncAnswer(full).Left(room)!.StateKeys);
    }

    [Fact]
    public async Task Leaving_after_a_gap_tells_the_state_that_changed_before_the_timeline()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        await alice.SetAsync(room, "m.room.topic", new { topic = "in the gap" });
        await alice.SayAsync(room, "a");
        await alice.KickAsync(room, bob);
        await alice.SetAsync(room, "m.room.topic", new { topic = "after he was gone" });
        var left = (await bob.SyncUntilAsync(since, a => a.Left(room) is not null, filter: new { room = new { timeline = new { limit = 2 } } })).Left(room)!;
        Assert.Equal(["a", "m.room.member"], left.Bodies);
        Assert.True(left.Limited);
        Assert.Equal("in the gap", Assert.Single(left.State).GetProperty("content").Text("topic"));
    }

    [Fact]
    public async Task A_ban_is_told_as_leaving()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        await alice.BanAsync(room, bob);
        var left = (await bob.SyncUntilAsync(since, a => a.Left(room) is not null)).Left(room)!;
        Assert.Equal("ban", left.Timeline[^1].GetProperty("content").Text("membership"));
        Assert.Contains(alice.Id, (await bob.SyncAsync(since)).DevicesLeft);
    }

    [Fact]
    public async Task Joining_and_leaving_between_two_answers_is_told_as_left()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var since = (await bob.SyncAsync()).Next;
        await bob.JoinAsync(room);
        await alice.SayAsync(room, "hello and goodbye");
        await bob.LeaveAsync(room);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var left = (await bob.SyncUntilAsync(since, a => a.Left(room) is not null, host)).Left(room)!;
            Assert.Equal(["m.room.member", "hello and goodbye", "m.room.member"], left.Bodies[^3..]);
        }
    }

    [Fact]
    public async Task Rooms_left_long_ago_are_told_when_asked_for_unless_forgotten()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "Tea" });
        await bob.JoinAsync(room);
        await alice.SayAsync(room, "seen");
        await bob.LeaveAsync(room);
        await alice.SetAsync(room, "m.room.name", new { name = "Coffee" });
        Assert.Null((await bob.SyncAsync()).Left(room));
        var include = new { room = new { include_leave = true, timeline = new { limit = 2 } } };
        var left = (await bob.SyncAsync(filter: include)).Left(room)!;
        Assert.Equal(["seen", "m.room.member"], left.Bodies);
        Assert.True(left.Limited);
        Assert.Equal("Tea", left.State.Single(e => e.Text("type") == "m.room.name").GetProperty("content").Text("name"));
        await bob.ForgetAsync(room);
        Assert.Null((await bob.SyncAsync(filter: include)).Left(room));
    }

    [Fact]
    public async Task A_room_that_was_left_comes_with_its_account_data()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        await alice.SetRoomDataAsync(room, "x.old", new { a = 1 });
        var since = (await alice.SyncAsync()).Next;
        await alice.SetRoomDataAsync(room, "x.new", new { a = 2 });
        await alice.LeaveAsync(room);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var news = (await alice.SyncUntilAsync(since, a => a.Left(room)?.Data("x.new") is not null, host)).Left(room)!;
            Assert.Null(news.Data("x.old"));
            var whole = (await alice.SyncAsync(filter: new { room = new { include_leave = true } }, at: host)).Left(room)!;
            Assert.Equal((1, 2), (whole.Data("x.old")!.Value.GetProperty("a").GetInt32(), whole.Data("x.new")!.Value.GetProperty("a").GetInt32()));
        }
    }
}

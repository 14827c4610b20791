namespace Matrix.ServiceTests.Sync;

/// <summary>Rooms that a user is in: timelines and state.</summary>
public sealed class JoinedRoomTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    [Fact]
    public async Task An_initial_sync_tells_the_whole_of_a_small_room()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "Tea" });
        var id = await alice.SayAsync(room, "hello");
        var part = (await alice.SyncAsync(filter: new { room = new { timeline = new { limit = 50 } } })).Joined(room)!;
        Assert.False(part.Limited);
        Assert.Empty(part.State);
        Assert.Equal("m.room.create", part.Timeline[0].Text("type"));
        Assert.Equal(id, part.Ids[^1]);
        Assert.Equal(1, part.JoinedCount);
        Assert.DoesNotContain(part.Timeline, e => e.TryGetProperty("room_id", out _));
    }

    [Fact]
    public async Task A_limited_timeline_has_the_state_before_it_and_a_token_to_page_back_from()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "Old name" });
        await alice.SayAsync(room, "one");
        await alice.SetAsync(room, "m.room.name", new { name = "New name" });
        await alice.SayAsync(room, "two");
        var part = (await alice.SyncAsync(filter: new { room = new { timeline = new { limit = 2 } } })).Joined(room)!;
        Assert.True(part.Limited);
        Assert.Equal(["m.room.name", "two"], part.Bodies);
        Assert.Equal("Old name", part.State.Single(e => e.Text("type") == "m.room.name").GetProperty("content").Text("name"));
        Assert.Contains($"m.room.member|{alice.Id}", part.StateKeys);
        var page = await alice.GetAsync($"/rooms/{Uri.EscapeDataString(room)}/messages?dir=b&limit=1&from={part.PrevBatch}");
        Assert.Equal("one", page.GetProperty("chunk")[0].GetProperty("content").Text("body"));
    }

    [Fact]
    public async Task An_event_that_only_joins_ends_of_the_graph_is_shown_to_nobody()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var start = (await alice.SyncAsync()).Next;
        await alice.SendAsync(room, "org.matrix.dummy_event", new { });
        var id = await alice.SayAsync(room, "after it");
        var part = (await alice.SyncUntilAsync(start, a => a.Joined(room)?.Ids.Contains(id) == true)).Joined(room)!;
        Assert.Equal([id], part.Ids);
        var page = await alice.GetAsync($"/rooms/{Uri.EscapeDataString(room)}/messages?dir=b&limit=20");
        Assert.DoesNotContain(page.GetProperty("chunk").EnumerateArray(), e => e.Text("type") == "org.matrix.dummy_event");
    }

    [Fact]
    public async Task An_incremental_sync_tells_what_is_new_and_only_that()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var start = await alice.SyncAsync();
        Assert.True((await alice.SyncAsync(start.Next)).IsEmpty);
        var id = await bob.SayAsync(room, "hello");
        var answer = await alice.SyncUntilAsync(start.Next, a => a.Joined(room) is not null);
        Assert.Equal([id], answer.Joined(room)!.Ids);
        Assert.False(answer.Joined(room)!.Limited);
        Assert.Empty(answer.Joined(room)!.State);
        Assert.True((await alice.SyncAsync(answer.Next)).IsEmpty);
    }

    [Fact]
    public async Task A_gap_is_told_with_the_state_that_changed_in_it()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await alice.SyncAsync()).Next;
        await bob.SayAsync(room, "lost");
        await alice.SetAsync(room, "m.room.topic", new { topic = "first" });
        await alice.SetAsync(room, "m.room.topic", new { topic = "second" });
        await bob.SayAsync(room, "a");
        await alice.SetAsync(room, "m.room.topic", new { topic = "third" });
        await bob.SayAsync(room, "b");
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var part = (await alice.SyncUntilAsync(since, a => a.Joined(room)?.Bodies[^1] == "b", host, new { room = new { timeline = new { limit = 3 } } })).Joined(room)!;
            Assert.True(part.Limited);
            Assert.Equal(["a", "m.room.topic", "b"], part.Bodies);
            Assert.Equal("second", Assert.Single(part.State).GetProperty("content").Text("topic"));
        }
    }

    [Fact]
    public async Task State_after_is_the_state_at_the_end_of_the_timeline()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var since = (await alice.SyncAsync()).Next;
        await alice.SetAsync(room, "m.room.topic", new { topic = "first" });
        await alice.SayAsync(room, "x");
        await alice.SetAsync(room, "m.room.topic", new { topic = "second" });
        var part = (await alice.SyncAsync(since, stateAfter: true)).Joined(room)!;
        Assert.False(part.Json.TryGetProperty("state", out _));
        Assert.Equal("second", Assert.Single(part.State).GetProperty("content").Text("topic"));
        Assert.Equal(3, part.Timeline.Count);
    }

    [Fact]
    public async Task A_newly_joined_room_is_told_whole()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "Tea" });
        var early = await alice.SayAsync(room, "before");
        var since = (await bob.SyncAsync()).Next;
        await bob.JoinAsync(room);
        var part = (await bob.SyncUntilAsync(since, a => a.Joined(room) is not null, filter: new { room = new { timeline = new { limit = 2 } } })).Joined(room)!;
        Assert.True(part.Limited);
        Assert.Equal(early, part.Ids[0]);
        Assert.Contains("m.room.create|", part.StateKeys);
        Assert.Contains("m.room.name|", part.StateKeys);
        Assert.Equal(2, part.JoinedCount);
        Assert.Null(part.Heroes);       // the room has a name
    }

    [Fact]
    public async Task Who_left_and_came_back_is_told_the_room_whole()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        await bob.LeaveAsync(room);
        await alice.SetAsync(room, "m.room.topic", new { topic = "behind his back" });
        await bob.JoinAsync(room);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var part = (await bob.SyncUntilAsync(since, a => a.Joined(room) is not null, host, new { room = new { timeline = new { limit = 1 } } })).Joined(room)!;
            Assert.Contains("m.room.create|", part.StateKeys);
            Assert.Contains("m.room.topic|", part.StateKeys);
        }
    }

    [Fact]
    public async Task Full_state_tells_all_state_and_the_timeline_since_the_token()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var since = (await alice.SyncAsync()).Next;
        var id = await alice.SayAsync(room, "x");
        var part = (await alice.SyncAsync(since, fullState: true)).Joined(room)!;
        Assert.Equal([id], part.Ids);
        Assert.Contains("m.room.create|", part.StateKeys);
        Assert.Contains("m.room.create|", (await alice.SyncAsync((await alice.SyncAsync(since)).Next, fullState: true)).Joined(room)!.StateKeys);
    }

    [Fact]
    public async Task Members_of_an_answer_that_was_lost_are_told_again_though_another_instance_answered_in_between()
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var lazy = new { room = new { state = new { lazy_load_members = true }, timeline = new { limit = 1 } } };
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "Its members do not name it" });
        await carol.JoinAsync(room);
        await bob.JoinAsync(room);
        await alice.SayAsync(room, "begin");
        var since = (await alice.SyncAsync(filter: lazy)).Next;
        await carol.SayAsync(room, "one");
        Task<SyncAnswer> UntilAsync(string body, string from, Hosting.ServiceHost host) => alice.SyncUntilAsync(from, a => a.Joined(room)?.Bodies[^1] == body, host, lazy);
        Assert.Contains($"m.room.member|{carol.Id}", (await UntilAsync("one", since, fixture.One)).Joined(room)!.StateKeys);
        // That answer is lost; the next one comes from elsewhere and has nothing of her.
        await bob.SayAsync(room, "two");
        var other = await UntilAsync("two", since, fixture.Two);
        Assert.DoesNotContain($"m.room.member|{carol.Id}", other.Joined(room)!.StateKeys);
        await carol.SayAsync(room, "three");
        Assert.Contains($"m.room.member|{carol.Id}", (await UntilAsync("three", other.Next, fixture.One)).Joined(room)!.StateKeys);
    }

    [Fact]
    public async Task Lazy_loading_tells_members_who_spoke_once()
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var lazy = new { room = new { state = new { lazy_load_members = true }, timeline = new { limit = 1 } } };
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await carol.JoinAsync(room);
        await bob.SayAsync(room, "one");
        var first = await alice.SyncAsync(filter: lazy);
        var members = first.Joined(room)!.State.Where(e => e.Text("type") == "m.room.member").Select(e => e.Text("state_key")).ToList();
        // Those who name the room are told too.
        Assert.Equal(new[] { alice.Id, bob.Id, carol.Id }.Order(), members.Order());
        await bob.SayAsync(room, "two");
        var second = await alice.SyncUntilAsync(first.Next, a => a.Joined(room) is not null, filter: lazy);
        Assert.Empty(second.Joined(room)!.State);
        // An answer that the client never got told nothing.
        var again = await alice.SyncAsync(filter: lazy);
        Assert.Contains($"m.room.member|{bob.Id}", again.Joined(room)!.StateKeys);
        var redundant = new { room = new { state = new { lazy_load_members = true, include_redundant_members = true } } };
        await bob.SayAsync(room, "three");
        var third = await alice.SyncUntilAsync(again.Next, a => a.Joined(room) is not null, filter: redundant);
        Assert.Equal([$"m.room.member|{bob.Id}"], third.Joined(room)!.StateKeys);
    }

    [Fact]
    public async Task Lazy_loading_tells_every_membership_that_changed_in_a_gap()
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var lazy = new { room = new { state = new { lazy_load_members = true }, timeline = new { limit = 1 } } };
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await alice.SyncAsync(filter: lazy)).Next;
        await carol.JoinAsync(room);
        await bob.LeaveAsync(room);
        await alice.SayAsync(room, "x");
        var part = (await alice.SyncUntilAsync(since, a => a.Joined(room) is not null, filter: lazy)).Joined(room)!;
        Assert.Contains($"m.room.member|{carol.Id}", part.StateKeys);
        Assert.Contains($"m.room.member|{bob.Id}", part.StateKeys);
    }

    [Fact]
    public async Task Only_the_sending_device_gets_its_transaction_id_back()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await alice.SyncAsync()).Next;
        await alice.SayAsync(room, "x", txn: "my-txn");
        foreach (var (user, expected) in new[] { (alice, "my-txn"), (alice.On("OTHER"), null), (bob, null) })
        {
            var e = (await user.SyncAsync(since)).Joined(room)!.Timeline.Single(e => e.Text("type") == "m.room.message");
            Assert.Equal(expected, e.At("unsigned", "transaction_id")?.GetString());
            Assert.True(e.At("unsigned", "age")!.Value.GetInt64() >= 0);
        }
        // From the database as well.
        await using var cold = await fixture.StartAsync("cold");
        Assert.Equal("my-txn", (await alice.SyncAsync(at: cold)).Joined(room)!.Timeline[^1].At("unsigned", "transaction_id")?.GetString());
    }

    [Fact]
    public async Task A_redacted_event_is_told_empty_with_what_redacted_it()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var since = (await alice.SyncAsync()).Next;
        var id = await alice.SayAsync(room, "oops");
        await alice.SyncAsync(since);
        var redaction = await alice.RedactAsync(room, id);
        foreach (var host in new[] { fixture.One, await fixture.StartAsync("cold") })
        {
            var e = (await alice.SyncUntilAsync(since, a => a.Joined(room)?.Ids.Contains(redaction) == true, host)).Joined(room)!.Timeline.Single(e => e.Text("event_id") == id);
            Assert.Equal("{}", e.GetProperty("content").GetRawText());
            Assert.Equal(redaction, e.At("unsigned", "redacted_because", "event_id")?.GetString());
            if (host != fixture.One) await host.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_redacted_name_is_gone_from_the_state()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var named = await alice.SetAsync(room, "m.room.name", new { name = "rude" });
        await alice.SyncAsync();
        await alice.SetAsync(room, "m.room.topic", new { topic = "t" });
        var redaction = await alice.RedactAsync(room, named);
        await alice.SyncAsync();
        var part = (await alice.SyncAsync(filter: new { room = new { timeline = new { limit = 1 } } })).Joined(room)!;
        Assert.Equal([redaction], part.Ids);
        Assert.Equal("{}", part.State.Single(e => e.Text("type") == "m.room.name").GetProperty("content").GetRawText());
    }

    [Fact]
    public async Task Events_before_a_join_are_hidden_where_the_room_says_so()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new
        {
            preset = "public_chat", initial_state = new[] { new { type = "m.room.history_visibility", state_key = "", content = new { history_visibility = "joined" } } },
        });
        await alice.SayAsync(room, "secret");
        var since = (await bob.SyncAsync()).Next;
        await bob.JoinAsync(room);
        await alice.SayAsync(room, "welcome");
        foreach (var host in new[] { fixture.One, fixture.Two })
            foreach (var from in new[] { since, null })
            {
                var answer = from is null ? await bob.SyncAsync(at: host) : await bob.SyncUntilAsync(from, a => a.Joined(room)?.Bodies.Contains("welcome") == true, host);
                var part = answer.Joined(room)!;
                Assert.DoesNotContain("secret", part.Bodies);
                Assert.Equal(["m.room.member", "welcome"], part.Bodies[^2..]);
                // The rule holds from the event on that sets it.
                Assert.Equal("m.room.history_visibility", part.Bodies[^3]);
            }
    }

    [Fact]
    public async Task Ignored_users_are_not_heard_but_their_state_is()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", power_level_content_override = new { events_default = 0, state_default = 0 } });
        await bob.JoinAsync(room);
        await alice.SetAccountDataAsync("m.ignored_user_list", new { ignored_users = new Dictionary<string, object> { [bob.Id] = new { } } });
        var since = (await alice.SyncAsync()).Next;
        await bob.SayAsync(room, "nobody hears this");
        await bob.SetAsync(room, "m.room.topic", new { topic = "but sees that" });
        var part = (await alice.SyncUntilAsync(since, a => a.Joined(room) is not null)).Joined(room)!;
        Assert.Equal(["m.room.topic"], part.Bodies);
        Assert.Equal(0, part.Unread);
        var other = await bob.CreateRoomAsync();
        await bob.InviteAsync(other, alice);
        Assert.Null((await alice.SyncAsync()).Invited(other));
    }
}

using System.Text.Json;

namespace Matrix.ServiceTests.Sync;

/// <summary>What belongs to one user or comes and goes: account data, to-device, receipts, typing, presence, device lists, counts.</summary>
public sealed class PersonalTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    [Fact]
    public async Task Account_data_is_told_whole_and_then_by_change()
    {
        var alice = fixture.NewUser();
        await alice.SetAccountDataAsync("x.one", new { n = 1 });
        var first = await alice.SyncAsync();
        Assert.Equal(["m.push_rules", "x.one"], first.AccountData.Select(d => d.Text("type")).Order(StringComparer.Ordinal));
        Assert.True((await alice.SyncAsync(first.Next)).IsEmpty);
        await alice.SetAccountDataAsync("x.two", new { n = 2 });
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var second = await alice.SyncUntilAsync(first.Next, a => a.AccountData.Count > 0, host);
            Assert.Equal(2, Assert.Single(second.AccountData).GetProperty("content").GetProperty("n").GetInt32());
        }
        await alice.SetAccountDataAsync("x.two", new { n = 3 });
        Assert.Equal(3, Assert.Single((await alice.SyncAsync(first.Next)).AccountData).GetProperty("content").GetProperty("n").GetInt32());
    }

    [Fact]
    public async Task Default_push_rules_are_told_until_the_user_has_others()
    {
        var alice = fixture.NewUser();
        var first = await alice.SyncAsync();
        var rules = Assert.Single(first.AccountData, d => d.Text("type") == "m.push_rules");
        Assert.True(rules.At("content", "global", "override")!.Value.GetArrayLength() > 3);
        await alice.CallAsync(fixture.One, HttpMethod.Put, "/_matrix/client/v3/pushrules/global/override/.m.rule.master/enabled", new { enabled = true });
        var second = await alice.SyncUntilAsync(first.Next, a => a.AccountData.Count > 0);
        Assert.Contains(second.AccountData.Single().At("content", "global", "override")!.Value.EnumerateArray(),
            r => r.Text("rule_id") == ".m.rule.master" && r.GetProperty("enabled").GetBoolean());
    }

    [Fact]
    public async Task Account_data_of_a_room_comes_with_the_room()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var since = (await alice.SyncAsync()).Next;
        await alice.SetRoomDataAsync(room, "x.y", new { n = 1 });
        var part = (await alice.SyncUntilAsync(since, a => a.Joined(room) is not null)).Joined(room)!;
        Assert.Empty(part.Timeline);
        Assert.Equal(1, part.Data("x.y")!.Value.GetProperty("n").GetInt32());
        Assert.NotNull((await alice.SyncAsync()).Joined(room)!.Data("x.y"));
    }

    [Fact]
    public async Task Messages_to_a_device_are_told_until_it_has_seen_them()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var since = (await bob.SyncAsync()).Next;
        await alice.SendToDeviceAsync(bob, "x.hello", new { n = 1 });
        var told = await bob.SyncUntilAsync(since, a => a.ToDevice.Count > 0);
        var message = Assert.Single(told.ToDevice);
        Assert.Equal((alice.Id, "x.hello"), (message.Text("sender"), message.Text("type")));
        // The answer may have been lost: the same token tells it again, on any instance.
        foreach (var host in new[] { fixture.One, fixture.Two }) Assert.Single((await bob.SyncAsync(since, at: host)).ToDevice);
        Assert.Empty((await bob.On("OTHER").SyncAsync()).ToDevice);
        Assert.Empty((await bob.SyncAsync(told.Next)).ToDevice);
        // Deleted now: not even an initial sync tells it.
        foreach (var host in new[] { fixture.One, fixture.Two }) Assert.Empty((await bob.SyncAsync(at: host)).ToDevice);
    }

    [Fact]
    public async Task Many_messages_to_a_device_come_a_hundred_at_a_time_each_once()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var since = (await bob.SyncAsync()).Next;
        for (var i = 0; i < 130; i++) await alice.SendToDeviceAsync(bob, "x.count", new { n = i });
        Assert.Equal(100, (await bob.SyncAsync()).ToDevice.Count);
        var seen = new List<int>();
        while (seen.Count < 130)
        {
            var answer = await bob.SyncUntilAsync(since, a => a.ToDevice.Count > 0);
            Assert.InRange(answer.ToDevice.Count, 1, 100);
            seen.AddRange(answer.ToDevice.Select(m => m.GetProperty("content").GetProperty("n").GetInt32()));
            since = answer.Next;
        }
        Assert.Equal(Enumerable.Range(0, 130), seen);
        Assert.True((await bob.SyncAsync(since)).IsEmpty);
    }

    [Fact]
    public async Task Public_receipts_are_for_all_and_private_ones_for_their_owner()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var first = await alice.SayAsync(room, "one");
        var second = await alice.SayAsync(room, "two");
        var (ofAlice, ofBob) = ((await alice.SyncAsync()).Next, (await bob.SyncAsync()).Next);
        await bob.ReceiptAsync(room, first, thread: "main");
        await bob.ReceiptAsync(room, second, "m.read.private");
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var mine = await bob.SyncUntilAsync(ofBob, a => a.Joined(room)?.Ephemeral("m.receipt")?.At(second) is not null, host);
            Assert.NotNull(mine.Joined(room)!.Ephemeral("m.receipt")!.Value.At(second, "m.read.private", bob.Id));
            var theirs = await alice.SyncUntilAsync(ofAlice, a => a.Joined(room) is not null, host);
            var receipts = theirs.Joined(room)!.Ephemeral("m.receipt")!.Value;
            Assert.Equal("main", receipts.At(first, "m.read", bob.Id, "thread_id")?.GetString());
            Assert.Null(receipts.At(second));
            Assert.Null((await alice.SyncAsync(at: host)).Joined(room)!.Ephemeral("m.receipt")!.Value.At(second));
            Assert.NotNull((await bob.SyncAsync(at: host)).Joined(room)!.Ephemeral("m.receipt")!.Value.At(second));
        }
    }

    [Fact]
    public async Task Typing_is_told_as_the_whole_set_and_ends_by_itself()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await alice.SyncAsync()).Next;
        await bob.TypingAsync(room, true, timeout: 1500);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var typing = await alice.SyncUntilAsync(since, a => a.Joined(room)?.Ephemeral("m.typing") is not null, host);
            Assert.Equal(bob.Id, Assert.Single(typing.Joined(room)!.Ephemeral("m.typing")!.Value.GetProperty("user_ids").EnumerateArray()).GetString());
            if (host == fixture.One) continue;
            var stopped = await alice.SyncUntilAsync(typing.Next, a => a.Joined(room) is not null, host);
            Assert.Empty(stopped.Joined(room)!.Ephemeral("m.typing")!.Value.GetProperty("user_ids").EnumerateArray());
            Assert.True((await alice.SyncAsync(stopped.Next, at: host)).IsEmpty);
        }
    }

    [Fact]
    public async Task Who_stops_typing_is_told_at_once()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var start = (await alice.SyncAsync()).Next;
        await bob.TypingAsync(room, true);
        var first = await alice.SyncUntilAsync(start, a => a.Joined(room)?.Ephemeral("m.typing") is not null);
        Assert.Equal(1, first.Joined(room)!.Ephemeral("m.typing")!.Value.GetProperty("user_ids").GetArrayLength());
        await bob.TypingAsync(room, false);
        var second = await alice.SyncUntilAsync(first.Next, a => a.Joined(room) is not null);
        Assert.Equal(0, second.Joined(room)!.Ephemeral("m.typing")!.Value.GetProperty("user_ids").GetArrayLength());
    }

    [Fact]
    public async Task Who_leaves_while_typing_types_no_more()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var start = (await alice.SyncAsync()).Next;
        await bob.TypingAsync(room, true);
        var typing = (await alice.SyncUntilAsync(start, a => a.Joined(room)?.Ephemeral("m.typing") is not null, fixture.Two)).Next;
        await bob.LeaveAsync(room);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var left = await alice.SyncUntilAsync(typing, a => a.Joined(room) is not null, host);
            Assert.Equal(0, left.Joined(room)!.Ephemeral("m.typing")!.Value.GetProperty("user_ids").GetArrayLength());
            Assert.True((await alice.SyncAsync(left.Next, at: host)).IsEmpty);
            Assert.Null((await alice.SyncAsync(at: host)).Joined(room)!.Ephemeral("m.typing"));
        }
    }

    [Fact]
    public async Task Presence_of_a_user_whose_rooms_nobody_remembers_is_told_as_well()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await alice.SyncAsync(at: fixture.Two)).Next;
        await bob.CallAsync(fixture.One, HttpMethod.Put, $"/_matrix/client/v3/presence/{bob.Id}/status", new { presence = "online", status_msg = "here" });
        since = (await alice.SyncUntilAsync(since, a => a.Presence.Count > 0, fixture.Two)).Next;
        // His rooms have changed since, and nobody asked for them again.
        await bob.CreateRoomAsync();
        await alice.SayAsync(room, "later");
        await alice.SyncUntilAsync(since, a => a.Joined(room) is not null, fixture.Two);
        Assert.Contains((await alice.SyncAsync(at: fixture.Two)).Presence, p => p.Text("sender") == bob.Id);
    }

    [Fact]
    public async Task Presence_is_for_those_who_share_a_room()
    {
        var (alice, bob, stranger) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var (since, elsewhere) = ((await alice.SyncAsync(at: fixture.Two)).Next, (await stranger.SyncAsync(at: fixture.Two)).Next);
        var here = (await alice.SyncAsync()).Next;
        await bob.SyncAsync(presence: "online");
        var told = await alice.SyncUntilAsync(since, a => a.Presence.Count > 0, fixture.Two);
        Assert.Equal(("m.presence", bob.Id, "online"), (told.Presence[0].Text("type"), told.Presence[0].Text("sender"), told.Presence[0].GetProperty("content").Text("presence")));
        Assert.Empty((await stranger.SyncAsync(elsewhere, at: fixture.Two)).Presence);
        await alice.SyncUntilAsync(here, a => a.Presence.Count > 0);
        Assert.Contains((await alice.SyncAsync()).Presence, p => p.Text("sender") == bob.Id);
        // Who comes into the room later is told as well.
        await stranger.JoinAsync(room);
        var joined = await stranger.SyncUntilAsync(elsewhere, a => a.Joined(room) is not null, fixture.Two);
        Assert.Contains(joined.Presence, p => p.Text("sender") == bob.Id);
    }

    [Fact]
    public async Task Who_newly_shares_a_room_is_a_changed_device_list_and_who_no_longer_does_has_left()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var since = (await alice.SyncAsync()).Next;
        var bobSince = (await bob.SyncAsync()).Next;
        await bob.JoinAsync(room);
        var joined = await alice.SyncUntilAsync(since, a => a.DevicesChanged.Count > 0);
        Assert.Equal([bob.Id], joined.DevicesChanged);
        var own = await bob.SyncUntilAsync(bobSince, a => a.Joined(room) is not null);
        Assert.Equal([alice.Id], own.DevicesChanged);
        await bob.LeaveAsync(room);
        Assert.Equal([bob.Id], (await alice.SyncUntilAsync(joined.Next, a => a.DevicesLeft.Count > 0)).DevicesLeft);
        Assert.Equal([alice.Id], (await bob.SyncUntilAsync(own.Next, a => a.Left(room) is not null)).DevicesLeft);
    }

    [Fact]
    public async Task Unread_messages_are_counted_from_the_read_receipt_on()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var start = (await bob.SyncAsync()).Next;
        await bob.SayAsync(room, "his own does not count");
        var one = await alice.SayAsync(room, "one");
        await alice.SayAsync(room, "two", new { msgtype = "m.text", body = "two", m_mentions = 0 });
        await alice.SendAsync(room, "m.room.message", new Dictionary<string, object>
        {
            ["msgtype"] = "m.text", ["body"] = "you", ["m.mentions"] = new { user_ids = new[] { bob.Id } },
        });
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var part = (await bob.SyncUntilAsync(start, a => a.Joined(room)?.Bodies[^1] == "you", host)).Joined(room)!;
            Assert.Equal((3, 1), (part.Unread, part.Highlights));
        }
        var since = (await bob.SyncAsync(start)).Next;
        await bob.ReceiptAsync(room, one);
        var read = (await bob.SyncUntilAsync(since, a => a.Joined(room) is not null)).Joined(room)!;
        Assert.Equal((2, 1), (read.Unread, read.Highlights));
        Assert.Equal((2, 1), ((await bob.SyncAsync()).Joined(room)!.Unread, (await bob.SyncAsync(at: fixture.Two)).Joined(room)!.Highlights));
    }

    [Fact]
    public async Task Threads_are_counted_apart_when_the_client_wants_that()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var root = await alice.SayAsync(room, "root");
        var relation = new Dictionary<string, object> { ["rel_type"] = "m.thread", ["event_id"] = root };
        var inThread = await alice.SendAsync(room, "m.room.message", new Dictionary<string, object> { ["msgtype"] = "m.text", ["body"] = "in it", ["m.relates_to"] = relation });
        var threads = new { room = new { timeline = new { unread_thread_notifications = true } } };
        var apart = (await bob.SyncAsync(filter: threads)).Joined(room)!;
        Assert.Equal(1, apart.Unread);
        Assert.Equal(1, apart.Json.At("unread_thread_notifications", root, "notification_count")!.Value.GetInt32());
        Assert.Equal(2, (await bob.SyncAsync()).Joined(room)!.Unread);
        await bob.ReceiptAsync(room, inThread, thread: root);
        var read = (await bob.SyncAsync(filter: threads)).Joined(room)!;
        Assert.Equal(1, read.Unread);
        Assert.Null(read.Json.At("unread_thread_notifications"));
    }

    [Fact]
    public async Task Counts_of_a_long_unread_room_reach_behind_what_is_in_memory()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        for (var i = 0; i < 90; i++) await alice.SayAsync(room, $"m{i}");
        await using var cold = await fixture.StartAsync("cold");
        Assert.Equal(90, (await bob.SyncAsync(at: cold)).Joined(room)!.Unread);
    }
}

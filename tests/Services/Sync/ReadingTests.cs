namespace Matrix.ServiceTests.Sync;

/// <summary>What reading does: receipts that others are told, counts that the reader is told.</summary>
public sealed class ReadingTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    [Fact]
    public async Task Who_has_read_up_to_the_same_event_in_several_threads_is_told_of_in_each()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var id = await alice.SayAsync(room, "hello");
        var since = (await alice.SyncAsync()).Next;
        await bob.ReceiptAsync(room, id, thread: "main");
        await bob.ReceiptAsync(room, id);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var told = await alice.SyncUntilAsync(since, a => a.Joined(room)?.Receipts.Count == 2, host);
            foreach (var answer in new[] { told, await alice.SyncAsync(at: host) })
                Assert.Equal([null, "main"], answer.Joined(room)!.Receipts.Select(r => r.At(id, "m.read", bob.Id)!.Value.At("thread_id")?.GetString()).Order());
        }
    }

    [Fact]
    public async Task What_relates_to_something_in_a_thread_is_counted_there()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        Task<string> RelateAsync(string id, string type) => alice.SayAsync(room, "", new Dictionary<string, object>
        {
            ["msgtype"] = "m.text", ["body"] = type, ["m.relates_to"] = new { rel_type = type, event_id = id },
        });
        var root = await alice.SayAsync(room, "root");
        var first = await RelateAsync(root, "m.thread");
        for (var i = 0; i < 60; i++) await alice.SayAsync(room, $"{i}");
        // One and two steps away from the thread; what relates to its root is none of it.
        var second = await RelateAsync(first, "m.reference");
        await RelateAsync(second, "m.reference");
        await RelateAsync(root, "m.reference");
        var threads = new { room = new { timeline = new { unread_thread_notifications = true } } };
        await using var cold = await fixture.StartAsync("cold");
        foreach (var host in new[] { fixture.One, cold })
        {
            var part = (await bob.SyncAsync(filter: threads, at: host)).Joined(room)!;
            Assert.Equal((62, 3), (part.Unread, part.Json.At("unread_thread_notifications", root, "notification_count")!.Value.GetInt32()));
        }
    }

    [Fact]
    public async Task Counts_go_down_also_for_who_hides_receipts()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var id = await alice.SayAsync(room, "hello");
        var filter = new { room = new { ephemeral = new { not_types = new[] { "m.receipt" } } } };
        var first = await bob.SyncAsync(filter: filter);
        Assert.Equal(1, first.Joined(room)!.Unread);
        await bob.On("OTHER").ReceiptAsync(room, id);
        var second = await bob.SyncUntilAsync(first.Next, a => a.Joined(room) is not null, fixture.Two, filter);
        Assert.Equal((0, 0), (second.Joined(room)!.Unread, second.Joined(room)!.Receipts.Count));
        await alice.ReceiptAsync(room, id);
        Assert.True((await bob.SyncAsync(second.Next, filter)).IsEmpty);
    }

    [Fact]
    public async Task What_was_redacted_is_not_counted()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var first = await alice.SayAsync(room, "first");
        var loud = await alice.SayAsync(room, "", new Dictionary<string, object>
        {
            ["msgtype"] = "m.text", ["body"] = "look", ["m.mentions"] = new { user_ids = new[] { bob.Id } },
        });
        var before = await bob.SyncAsync();
        Assert.Equal((2, 1), (before.Joined(room)!.Unread, before.Joined(room)!.Highlights));
        await alice.RedactAsync(room, loud);
        await using var cold = await fixture.StartAsync("unread of redacted");
        foreach (var host in new[] { fixture.One, fixture.Two, cold })
        {
            var after = (await bob.SyncUntilAsync(before.Next, a => a.Joined(room) is not null, host)).Joined(room)!;
            Assert.Equal((1, 0), (after.Unread, after.Highlights));
        }
        await alice.RedactAsync(room, first);
        Assert.Equal(0, (await bob.SyncAsync()).Joined(room)!.Unread);
    }

    [Fact]
    public async Task Of_several_receipts_of_a_user_the_last_one_is_told()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var (first, second) = (await alice.SayAsync(room, "first"), await alice.SayAsync(room, "second"));
        var since = (await alice.SyncAsync()).Next;
        await bob.ReceiptAsync(room, first);
        await bob.ReceiptAsync(room, second);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var receipt = (await alice.SyncUntilAsync(since, a => a.Joined(room)?.Ephemeral("m.receipt")?.At(second) is not null, host)).Joined(room)!.Ephemeral("m.receipt")!.Value;
            Assert.Equal([second], receipt.EnumerateObject().Select(e => e.Name));
        }
    }
}

using System.Text.Json;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>What decides which events a timeline shows, and what an event says of itself to some readers only.</summary>
public sealed class TimelineTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private ServiceHost[] Hosts => [fixture.One, fixture.Two];

    private static object Filter(string relType, string? sender = null, int limit = 5)
    {
        var timeline = new Dictionary<string, object> { ["limit"] = limit, ["related_by_rel_types"] = new[] { relType } };
        if (sender is not null) timeline["related_by_senders"] = new[] { sender };
        return new { room = new { timeline, include_leave = true } };
    }

    private static object Relation(string type, string id) => new Dictionary<string, object>
    {
        ["body"] = type, ["msgtype"] = "m.text", ["m.relates_to"] = type == "m.annotation" ? new { rel_type = type, event_id = id, key = "x" } : (object)new { rel_type = type, event_id = id },
    };

    [Fact]
    public async Task A_filter_may_want_events_that_others_relate_to()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var deep = await alice.SayAsync(room, "deep");
        await bob.SayAsync(room, "", Relation("m.thread", deep));
        for (var i = 0; i < 70; i++) await alice.SayAsync(room, $"{i}");
        var liked = await alice.SayAsync(room, "liked");
        await alice.SendAsync(room, "m.reaction", Relation("m.annotation", liked));
        var since = (await alice.SyncAsync()).Next;
        var threaded = await alice.SayAsync(room, "threaded");
        await alice.SayAsync(room, "", Relation("m.thread", threaded));
        await alice.SayAsync(room, "plain");
        foreach (var host in Hosts)
        {
            Assert.Equal([deep, threaded], (await alice.SyncAsync(filter: Filter("m.thread"), at: host)).Joined(room)!.Ids);
            Assert.Equal([liked], (await alice.SyncAsync(filter: Filter("m.annotation"), at: host)).Joined(room)!.Ids);
            Assert.Equal([deep], (await alice.SyncAsync(filter: Filter("m.thread", bob.Id), at: host)).Joined(room)!.Ids);
            Assert.Equal([threaded], (await alice.SyncAsync(filter: Filter("m.thread", limit: 1), at: host)).Joined(room)!.Ids);
            Assert.Equal([threaded], (await alice.SyncAsync(since, Filter("m.thread"), host)).Joined(room)!.Ids);
            Assert.Null((await alice.SyncAsync(since, Filter("m.annotation"), host)).Joined(room));
        }
        await alice.LeaveAsync(room);
        foreach (var host in Hosts) Assert.Equal([deep, threaded], (await alice.SyncAsync(filter: Filter("m.thread"), at: host)).Left(room)!.Ids);
    }

    [Fact]
    public async Task State_may_be_filtered_by_what_relates_to_it()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "N", topic = "T" });
        var topic = await alice.SetAsync(room, "m.room.topic", new { topic = "related" });
        await alice.SayAsync(room, "", Relation("m.reference", topic));
        var filter = new { room = new { timeline = new { limit = 1 }, state = new { related_by_rel_types = new[] { "m.reference" } } } };
        foreach (var host in Hosts) Assert.Equal(["m.room.topic|"], (await alice.SyncAsync(filter: filter, at: host)).Joined(room)!.StateKeys);
    }

    [Fact]
    public async Task The_sender_of_a_delayed_event_is_told_which_it_was()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await alice.SyncAsync()).Next;
        var scheduled = await alice.CallAsync(
            fixture.One, HttpMethod.Put, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/delayed_event/m.room.message/{SyncUser.NewTxn()}",
            new { delay_ms = 60_000, content = new { msgtype = "m.text", body = "later" } });
        var id = scheduled.Text("delay_id");
        await alice.CallAsync(fixture.One, HttpMethod.Post, $"/_matrix/client/v1/delayed_events/{id}/send", new { });
        foreach (var host in Hosts)
            foreach (var from in new[] { since, null })
            {
                JsonElement Unsigned(SyncAnswer answer) => answer.Joined(room)!.Timeline[^1].GetProperty("unsigned");
                foreach (var device in new[] { "DEV", "OTHER" })
                {
                    var own = Unsigned(await alice.On(device).SyncAsync(from, at: host));
                    Assert.Equal((id, id), (own.Text("delay_id"), own.Text("org.matrix.msc4140.delay_id")));
                    Assert.False(own.TryGetProperty("transaction_id", out _));
                }
                Assert.False(Unsigned(await bob.SyncAsync(from, at: host)).TryGetProperty("delay_id", out _));
            }
    }

    [Fact]
    public async Task Messages_past_their_time_are_not_unread()
    {
        await using var host = await fixture.StartAsync("counting", configure: config => config with { Retention = new RetentionConfig { Enabled = true } });
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await alice.SayAsync(room, "old");
        var before = await bob.SyncAsync(at: host);
        Assert.Equal(1, before.Joined(room)!.Unread);
        await alice.SetAsync(room, "m.room.retention", new { max_lifetime = 1 });
        Assert.Equal(0, (await bob.SyncUntilAsync(before.Next, a => a.Joined(room) is not null, host)).Joined(room)!.Unread);
        Assert.Equal(0, (await bob.SyncAsync(at: host)).Joined(room)!.Unread);
        Assert.Equal(1, (await bob.SyncAsync()).Joined(room)!.Unread);
    }

    [Fact]
    public async Task Messages_past_their_time_are_not_shown_but_state_is()
    {
        await using var host = await fixture.StartAsync("retention", configure: config => config with { Retention = new RetentionConfig { Enabled = true } });
        var alice = fixture.NewUser();
        var (brief, lasting) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        foreach (var room in new[] { brief, lasting }) await alice.SayAsync(room, "old");
        await alice.SetAsync(brief, "m.room.retention", new { max_lifetime = 1 });
        await alice.SetAsync(lasting, "m.room.retention", new { max_lifetime = 3_600_000 });
        var answer = await alice.SyncAsync(at: host);
        Assert.DoesNotContain("old", answer.Joined(brief)!.Bodies);
        Assert.Contains("m.room.retention", answer.Joined(brief)!.Bodies);
        Assert.Contains("old", answer.Joined(lasting)!.Bodies);
        var sliding = await new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List())).StepAsync(at: host);
        Assert.DoesNotContain("old", sliding.Room(brief)!.Bodies);
        // Where it is not switched on nothing of it holds.
        Assert.Contains("old", (await alice.SyncAsync()).Joined(brief)!.Bodies);
        await alice.LeaveAsync(brief);
        Assert.DoesNotContain("old", (await alice.SyncAsync(filter: new { room = new { include_leave = true } }, at: host)).Left(brief)!.Bodies);
    }
}

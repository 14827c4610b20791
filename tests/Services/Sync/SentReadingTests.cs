using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>Whoever sends something has read what came before it in that thread. Spec: client-server-api/#marking-notifications-as-read</summary>
public sealed class SentReadingTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static readonly object ByThread = new { room = new { timeline = new { unread_thread_notifications = true } } };

    private async Task<(SyncUser Alice, SyncUser Bob, string Room)> TalkersAsync()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", power_level_content_override = new { state_default = 0, invite = 0 } });
        await bob.JoinAsync(room);
        return (alice, bob, room);
    }

    private static Task<string> RelateAsync(SyncUser user, string room, string id, string type = "m.thread") => user.SayAsync(room, "", new Dictionary<string, object>
    {
        ["msgtype"] = "m.text", ["body"] = type, ["m.relates_to"] = new { rel_type = type, event_id = id },
    });

    private static Task ReactAsync(SyncUser user, string room, string id) =>
        user.SendAsync(room, "m.reaction", new Dictionary<string, object> { ["m.relates_to"] = new { rel_type = "m.annotation", event_id = id, key = "+" } });

    private static async Task<SlidingClient> SlideAsync(SyncUser user, ServiceHost host)
    {
        var client = new SlidingClient(user.On("SLIDING"), SlidingClient.Lists(SlidingClient.List())) { Host = host };
        await client.StepAsync();
        return client;
    }

    private static int Unread(SlidingRoomView room) => room.Json.GetProperty("notification_count").GetInt32();

    /// <summary>Of the main timeline, and of one thread.</summary>
    private static (int Main, int Thread) Counts(RoomAnswer room, string root) =>
        (room.Unread, room.Json.At("unread_thread_notifications", root, "notification_count")?.GetInt32() ?? 0);

    [Fact]
    public async Task The_counts_fall_wherever_they_are_asked_for()
    {
        var (alice, bob, room) = await TalkersAsync();
        await alice.SayAsync(room, "one");
        await alice.SayAsync(room, "two");
        ServiceHost[] hosts = [fixture.One, fixture.Two];
        var (first, sliding) = (new List<string>(), new List<SlidingClient>());
        foreach (var host in hosts)
        {
            var answer = await bob.SyncAsync(at: host);
            Assert.Equal(2, answer.Joined(room)!.Unread);
            first.Add(answer.Next);
            sliding.Add(await SlideAsync(bob, host));
        }
        var own = await bob.SayAsync(room, "an answer");
        for (var i = 0; i < hosts.Length; i++)
        {
            Assert.Equal(0, (await bob.SyncUntilAsync(first[i], a => a.Joined(room) is not null, hosts[i])).Joined(room)!.Unread);
            Assert.Equal(0, Unread((await sliding[i].UntilAsync(a => a.Room(room) is not null)).Room(room)!));
        }
        // What comes after it counts, and what it was is not forgotten when nobody can read it any more.
        await alice.SayAsync(room, "three");
        await bob.RedactAsync(room, own);
        await alice.SayAsync(room, "four");
        await using var cold = await fixture.StartAsync("cold for who has sent");
        foreach (var host in (ServiceHost[])[.. hosts, cold])
        {
            Assert.Equal(1, (await bob.SyncUntilAsync(first[0], a => a.Joined(room)?.Bodies.Contains("four") == true, host)).Joined(room)!.Unread);
            Assert.Equal(1, (await bob.SyncAsync(at: host)).Joined(room)!.Unread);
        }
        Assert.Empty((await alice.SyncAsync()).Joined(room)!.Receipts);
    }

    [Fact]
    public async Task The_redaction_of_what_was_sent_brings_no_counts_back()
    {
        var (alice, bob, room) = await TalkersAsync();
        var root = await alice.SayAsync(room, "root");
        var inThread = await RelateAsync(alice, room, root);
        var (own, ownInThread) = (await bob.SayAsync(room, "an answer"), await RelateAsync(bob, room, root));
        foreach (var id in (string[])[own, ownInThread, root, inThread]) await alice.RedactAsync(room, id);
        await RelateAsync(alice, room, root);
        await using var cold = await fixture.StartAsync("cold after redactions");
        foreach (var host in (ServiceHost[])[fixture.One, fixture.Two, cold])
        {
            var whole = await bob.SyncAsync(filter: ByThread, at: host);
            Assert.Equal((0, 1), Counts((await bob.SyncUntilAsync(whole.Next, _ => true, host, ByThread)).Joined(room) ?? whole.Joined(room)!, root));
        }
    }

    [Theory]
    [InlineData("m.thread", 1, 0)]
    [InlineData("reaction", 1, 0)]
    [InlineData("reaction to an edit", 1, 0)]
    [InlineData("main", 0, 1)]
    [InlineData("reaction to the root", 0, 1)]
    [InlineData("state", 0, 1)]
    [InlineData("redaction", 0, 1)]
    [InlineData("invitation", 1, 1)]
    public async Task What_is_sent_reads_its_own_thread_alone(string what, int main, int thread)
    {
        var (alice, bob, room) = await TalkersAsync();
        var own = await bob.SayAsync(room, "to be redacted");
        var root = await alice.SayAsync(room, "root");
        var inThread = await RelateAsync(alice, room, root);
        var before = await bob.SyncAsync(filter: ByThread);
        Assert.Equal((1, 1), Counts(before.Joined(room)!, root));
        await (what switch
        {
            "m.thread" => RelateAsync(bob, room, root),
            "reaction" => ReactAsync(bob, room, inThread),
            "reaction to an edit" => ReactAsync(bob, room, await RelateAsync(alice, room, inThread, "m.replace")),
            "reaction to the root" => ReactAsync(bob, room, root),
            "state" => bob.SetAsync(room, "m.room.topic", new { topic = "new" }),
            "redaction" => bob.RedactAsync(room, own),
            "invitation" => bob.InviteAsync(room, fixture.NewUser()),
            _ => bob.SayAsync(room, "an answer"),
        });
        foreach (var host in (ServiceHost[])[fixture.One, fixture.Two])
        {
            var told = await bob.SyncUntilAsync(before.Next, a => a.Joined(room)?.Timeline.Exists(e => e.Text("sender") == bob.Id) == true, host, ByThread);
            Assert.Equal((main, thread), Counts(told.Joined(room)!, root));
            Assert.Equal((main, thread), Counts((await bob.SyncAsync(filter: ByThread, at: host)).Joined(room)!, root));
        }
    }

    [Fact]
    public async Task They_fall_also_for_who_hides_what_was_sent()
    {
        var (alice, bob, room) = await TalkersAsync();
        await alice.SayAsync(room, "hello");
        var filter = new { room = new { timeline = new { not_types = new[] { "m.room.message" } } } };
        var first = await bob.SyncAsync(filter: filter);
        Assert.Equal(1, first.Joined(room)!.Unread);
        await bob.On("OTHER").SayAsync(room, "an answer");
        foreach (var host in (ServiceHost[])[fixture.Two, fixture.One])
        {
            var second = await bob.SyncUntilAsync(first.Next, a => a.Joined(room) is not null, host, filter);
            Assert.Equal((0, 0), (second.Joined(room)!.Unread, second.Joined(room)!.Timeline.Count));
            Assert.True((await bob.SyncAsync(second.Next, filter, host)).IsEmpty);
        }
        // Where there was nothing to read there is nothing to tell.
        var last = await alice.SayAsync(room, "read before he answers");
        await bob.ReceiptAsync(room, last);
        var since = (await bob.SyncAsync(first.Next, filter)).Next;
        await bob.SayAsync(room, "another answer");
        Assert.True((await bob.SyncAsync(since, filter)).IsEmpty);
    }
}

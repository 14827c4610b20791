using System.Text.Json;

namespace Matrix.ServiceTests.Sync;

/// <summary>Bundled aggregations: where a timeline is limited, its events tell what their children come to.</summary>
public sealed class AggregationTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static object Edit(string id) => new Dictionary<string, object>
    {
        ["msgtype"] = "m.text", ["body"] = "* new", ["m.new_content"] = new { msgtype = "m.text", body = "new" },
        ["m.relates_to"] = new { rel_type = "m.replace", event_id = id },
    };

    private static JsonElement? Replacement(IEnumerable<JsonElement> timeline, string id) =>
        timeline.Single(e => e.Text("event_id") == id).At("unsigned", "m.relations", "m.replace");

    [Fact]
    public async Task Limited_timelines_have_them_in_both_kinds_of_sync()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        for (var i = 0; i < 5; i++) await alice.SayAsync(room, $"{i}");
        var first = await alice.SyncAsync();
        var id = await alice.SayAsync(room, "old");
        await alice.SayAsync(room, "* new", Edit(id));
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var limited = (await alice.SyncAsync(filter: new { room = new { timeline = new { limit = 2 } } }, at: host)).Joined(room)!;
            Assert.True(limited.Limited);
            Assert.Equal("new", Replacement(limited.Timeline, id)!.Value.At("content", "m.new_content", "body")!.Value.GetString());
            var live = (await alice.SyncAsync(first.Next, at: host)).Joined(room)!;
            Assert.False(live.Limited);
            Assert.Null(Replacement(live.Timeline, id));
            var sliding = (await new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(limit: 2))).StepAsync(at: host)).Room(room)!;
            Assert.NotNull(Replacement(sliding.Timeline, id));
        }
        Assert.False((await alice.SyncAsync(filter: new { event_fields = new[] { "type" }, room = new { timeline = new { limit = 2 } } })).Joined(room)!.Timeline[0].TryGetProperty("unsigned", out _));
    }

    /// <summary>An event that gets children while its room is in memory, one that had them before that, and one that memory had to go back for.</summary>
    [Fact]
    public async Task Events_of_any_age_have_them_whenever_their_children_came()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var oldest = await alice.SayAsync(room, "oldest");
        for (var i = 0; i < 60; i++) await alice.SayAsync(room, $"{i}");
        var before = await alice.SayAsync(room, "before");
        await alice.SayAsync(room, "* new", Edit(oldest));
        await alice.SayAsync(room, "* new", Edit(before));
        var since = (await alice.SyncAsync(at: fixture.Two)).Next;
        var after = await alice.SayAsync(room, "after");
        await alice.SayAsync(room, "* new", Edit(after));
        await alice.SyncUntilAsync(since, a => a.Joined(room)?.Timeline.Count >= 2 || a.Joined(room)?.Bodies[^1] == "* new", fixture.Two);

        var recent = (await alice.SyncAsync(filter: new { room = new { timeline = new { limit = 6 } } }, at: fixture.Two)).Joined(room)!;
        foreach (var id in new[] { before, after }) Assert.NotNull(Replacement(recent.Timeline, id));
        var all = (await alice.SyncAsync(filter: new { room = new { timeline = new { limit = 66 } } }, at: fixture.Two)).Joined(room)!;
        Assert.True(all.Limited);
        foreach (var id in new[] { oldest, before, after }) Assert.NotNull(Replacement(all.Timeline, id));
    }

    [Fact]
    public async Task Device_lists_of_sliding_sync_tell_who_came_and_went_whatever_the_lists_show()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (top, other) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await alice.SayAsync(top, "on top");
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 0), new { e2ee = new { enabled = true } }));
        var first = await client.StepAsync();
        Assert.Null(first.Extension("e2ee", "device_lists"));
        Assert.Equal(0, first.Extension("e2ee", "device_one_time_keys_count", "signed_curve25519")!.Value.GetInt32());
        async Task<(List<string> Changed, List<string> Left)> ListsAsync(bool isCold)
        {
            await using var cold = isCold ? await fixture.StartAsync("coldkeys") : null;
            var answer = await client.StepAsync(at: cold ?? fixture.One);
            List<string> Of(string name) => answer.Extension("e2ee", "device_lists", name) is { } list ? [.. list.EnumerateArray().Select(u => u.GetString()!)] : [];
            return (Of("changed"), Of("left"));
        }
        foreach (var isCold in new[] { false, true })
        {
            await bob.JoinAsync(other);
            await alice.SayAsync(top, "still on top");
            Assert.Equal([bob.Id], (await ListsAsync(isCold)).Changed);
            await bob.LeaveAsync(other);
            await alice.SayAsync(top, "still on top");
            Assert.Equal([bob.Id], (await ListsAsync(isCold)).Left);
        }
    }
}

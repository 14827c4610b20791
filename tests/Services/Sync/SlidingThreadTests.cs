using System.Text.Json;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>Sliding sync: threads with news, MSC4360.</summary>
[Collection("alone")]
public sealed class SlidingThreadTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private const string Threads = "io.element.msc4360.threads";
    private ServiceHost[] Hosts => [fixture.One, fixture.Two];

    private static object Asking(bool roots, int limit = 100, int timeline = 10, int to = 19) => SlidingClient.Lists(
        SlidingClient.List(to: to, limit: timeline), new Dictionary<string, object> { [Threads] = new { enabled = true, include_roots = roots, limit } });

    private static Task<string> ReplyAsync(SyncUser user, string room, string root) => user.SayAsync(room, "", new Dictionary<string, object>
    {
        ["body"] = "reply", ["msgtype"] = "m.text", ["m.relates_to"] = new { rel_type = "m.thread", event_id = root },
    });

    private static JsonElement? Update(SlidingAnswerView answer, string room, string root) => answer.Extension(Threads, "updates", room, root);

    /// <summary>The next answer, of an instance that has heard of everything.</summary>
    private static async Task<SlidingAnswerView> NextAsync(SlidingClient client)
    {
        await client.User.SyncAsync(at: client.Host);
        return await client.StepAsync();
    }

    [Fact]
    public async Task Threads_that_the_timelines_do_not_show_are_named()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (room, hidden) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(room);
        var (root, other) = (await alice.SayAsync(room, "root"), await alice.SayAsync(hidden, "other"));
        foreach (var host in Hosts)
        {
            await alice.SayAsync(room, "on top");
            var client = new SlidingClient(alice, Asking(roots: false, timeline: 2, to: 0)) { Host = host };
            await client.StepAsync();
            await ReplyAsync(bob, room, root);
            using (var sql = fixture.Count())
            {
                var shown = await client.UntilAsync(a => a.Room(room) is not null);
                Assert.Equal(["reply"], shown.Room(room)!.Bodies);
                Assert.Null(shown.Extension(Threads));
                Assert.Empty(sql.All);
            }
            await ReplyAsync(bob, room, root);
            for (var i = 0; i < 2; i++) await alice.SayAsync(room, $"{i}");
            var gap = await NextAsync(client);
            Assert.Equal("{}", Update(gap, room, root)!.Value.GetRawText());
            Assert.Null(gap.Extension(Threads, "prev_batch"));
            await ReplyAsync(alice, hidden, other);
            await ReplyAsync(alice, hidden, other);
            await alice.SayAsync(room, "on top");
            var two = await NextAsync(client);
            Assert.True(Update(two, hidden, other)!.Value.TryGetProperty("prev_batch", out _));
            Assert.Null(Update(two, room, root));
            Assert.Null((await client.StepAsync()).Extension(Threads));
        }
    }

    [Fact]
    public async Task Roots_come_with_what_their_threads_come_to_and_the_rest_page_by_page()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var clients = Hosts.Select(host => new SlidingClient(alice, Asking(roots: true, limit: 1)) { Host = host }).ToList();
        foreach (var client in clients) await client.StepAsync();
        var roots = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            roots.Add(await alice.SayAsync(room, $"root {i}"));
            await ReplyAsync(bob, room, roots[i]);
        }
        var last = await ReplyAsync(bob, room, roots[2]);
        foreach (var client in clients)
        {
            var before = client.Pos!;
            var answer = await NextAsync(client);
            var update = Update(answer, room, roots[2])!.Value;
            Assert.Equal("root 2", update.At("thread_root", "content", "body")!.Value.GetString());
            Assert.Equal((2, last), (update.At("thread_root", "unsigned", "m.relations", "m.thread", "count")!.Value.GetInt32(),
                update.At("thread_root", "unsigned", "m.relations", "m.thread", "latest_event", "event_id")!.Value.GetString()));
            var earlier = await alice.CallAsync(fixture.One, HttpMethod.Get, $"/_matrix/client/v1/rooms/{Uri.EscapeDataString(room)}/relations/{Uri.EscapeDataString(roots[2])}?from={update.Text("prev_batch")}&dir=b");
            Assert.Single(earlier.GetProperty("chunk").EnumerateArray());

            var from = answer.Extension(Threads, "prev_batch")!.Value.GetString();
            var rest = new List<string>();
            for (var pages = 0; from is not null && pages < 5; pages++)
            {
                var page = await UpdatesAsync(alice, $"dir=b&limit=1&from={Uri.EscapeDataString(from)}&to={Uri.EscapeDataString(before)}");
                rest.AddRange(page.GetProperty("chunk").GetProperty(room).EnumerateObject().Select(t => t.Name));
                from = page.At("next_batch")?.GetString();
            }
            Assert.Equal([roots[1], roots[0]], rest);
        }
        Assert.Empty((await UpdatesAsync(fixture.NewUser(), "dir=b")).GetProperty("chunk").EnumerateObject());
        Assert.Equal("M_INVALID_PARAM", (await UpdatesAsync(alice, "dir=f", 400)).Text("errcode"));
        Assert.Equal("M_INVALID_PARAM", (await UpdatesAsync(alice, "dir=b&limit=0", 400)).Text("errcode"));
    }

    private Task<JsonElement> UpdatesAsync(SyncUser user, string query, int status = 200) =>
        user.CallAsync(fixture.One, HttpMethod.Get, $"/_matrix/client/unstable/io.element.msc4360/thread_updates?{query}", status: status);

    [Fact]
    public async Task Threads_of_rooms_that_the_reader_has_left_and_of_ignored_users_are_not_named()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (room, left) = (await alice.CreateRoomAsync(), await bob.CreateRoomAsync());
        await bob.JoinAsync(room);
        await alice.JoinAsync(left);
        var (root, gone) = (await alice.SayAsync(room, "root"), await alice.SayAsync(left, "gone"));
        await alice.SetAccountDataAsync("m.ignored_user_list", new { ignored_users = new Dictionary<string, object> { [bob.Id] = new { } } });
        var client = new SlidingClient(alice, Asking(roots: true));
        await client.StepAsync();
        await alice.LeaveAsync(left);
        await ReplyAsync(bob, room, root);
        await ReplyAsync(bob, left, gone);
        await alice.SayAsync(room, "x");
        Assert.Null((await client.UntilAsync(a => a.Room(room)?.Bodies.Contains("x") == true)).Extension(Threads));
    }
}

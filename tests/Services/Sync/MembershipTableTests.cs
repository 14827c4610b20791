using System.Text.Json;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>What each way of coming and going means for each kind of answer.</summary>
public sealed class MembershipTableTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private const string None = "";

    /// <param name="Initial">Where an initial sync has the room.</param>
    /// <param name="Left">What one with <c>include_leave</c> tells under leave: the stay, or no more than the last step ("turn").</param>
    /// <param name="Fresh">The membership that a new connection of sliding sync is told, and one that has been there all the time.</param>
    private sealed record Way(string Initial, string Left, string Fresh, string Followed);

    private static readonly Dictionary<string, Way> Ways = new()
    {
        ["knock leave"] = new(None, "turn", None, "leave"),
        ["knock kick"] = new(None, "turn", None, "leave"),
        ["invite leave"] = new(None, "turn", None, "leave"),
        ["invite kick"] = new(None, "turn", None, "leave"),
        ["invite ban"] = new(None, "turn", None, "ban"),
        ["ban"] = new(None, "turn", None, None),
        ["ban unban"] = new(None, "turn", None, None),
        ["join leave"] = new(None, "stay", None, "leave"),
        ["join kick"] = new(None, "stay", "leave", "leave"),
        ["join ban"] = new(None, "stay", "ban", "ban"),
        ["join ban unban"] = new(None, "stay", "leave", "leave"),
        ["join leave ban"] = new(None, "stay", "ban", "ban"),
        ["join leave invite"] = new("invite", None, "invite", "invite"),
        ["join leave invite leave"] = new(None, "stay", None, "leave"),
        ["join kick invite kick"] = new(None, "stay", "leave", "leave"),
        ["knock invite"] = new("invite", None, "invite", "invite"),
        ["knock invite join"] = new("join", None, "join", "join"),
        ["join kick join"] = new("join", None, "join", "join"),
        ["join leave knock"] = new("knock", None, "knock", "knock"),
        ["join leave knock kick"] = new(None, "stay", "leave", "leave"),
    };

    public static TheoryData<string> Steps => [.. Ways.Keys];

    private async Task<(SyncUser Alice, SyncUser Bob, string Room)> BeginAsync(string steps)
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var rule = steps.Contains("knock", StringComparison.Ordinal) && !steps.StartsWith("join", StringComparison.Ordinal) ? "knock" : "public";
        var room = await alice.CreateRoomAsync(new
        {
            preset = "public_chat", name = "before", initial_state = new[] { new { type = "m.room.join_rules", state_key = "", content = new { join_rule = rule } } },
        });
        return (alice, bob, room);
    }

    /// <summary>The step, and something that happens in the room after it.</summary>
    private static async Task GoAsync(string step, SyncUser alice, SyncUser bob, string room)
    {
        if (step == "knock") await alice.SetAsync(room, "m.room.join_rules", new { join_rule = "knock" });
        await (step switch
        {
            "knock" => bob.KnockAsync(room),
            "invite" => alice.InviteAsync(room, bob),
            "join" => bob.JoinAsync(room),
            "leave" => bob.LeaveAsync(room),
            "kick" => alice.KickAsync(room, bob),
            "ban" => alice.BanAsync(room, bob),
            _ => alice.CallAsync(alice.Fixture.One, HttpMethod.Post, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/unban", new { user_id = bob.Id }),
        });
        await alice.SetAsync(room, "m.room.name", new { name = $"after {step}" });
        await alice.SayAsync(room, $"after {step}");
    }

    private static string Section(SyncAnswer answer, string room) =>
        answer.Joined(room) is not null ? "join" : answer.Invited(room) is not null ? "invite" : answer.Knocked(room) is not null ? "knock" : answer.Left(room) is not null ? "leave" : None;

    private static string SectionOf(string step) => step switch { "knock" or "invite" or "join" => step, _ => "leave" };

    private static string MembershipOf(string step) => step switch { "ban" or "join" or "invite" or "knock" => step, _ => "leave" };

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task An_answer_has_the_room_where_it_belongs(string steps)
    {
        var (initial, left, _, _) = Ways[steps];
        var (alice, bob, room) = await BeginAsync(steps);
        var began = (await bob.SyncAsync()).Next;
        var since = began;
        var all = steps.Split(' ');
        foreach (var step in all)
        {
            await GoAsync(step, alice, bob, room);
            var answer = await bob.SyncUntilAsync(since, a => Section(a, room).Length > 0);
            Assert.Equal(SectionOf(step), Section(answer, room));
            if (SectionOf(step) == "leave") AssertLeft(answer.Left(room)!, MembershipOf(step), bob);
            since = answer.Next;
        }
        var hasStayed = left == "stay";
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            Assert.Equal(initial, Section(await bob.SyncAsync(at: host), room));
            foreach (var stateAfter in new[] { false, true })
            {
                var told = await bob.SyncAsync(filter: new { room = new { include_leave = true, timeline = new { limit = 20 } } }, at: host, stateAfter: stateAfter);
                Assert.Equal(left.Length > 0 ? "leave" : initial, Section(told, room));
                if (told.Left(room) is { } part) AssertStay(part, hasStayed, all, bob);
                var changed = await bob.SyncUntilAsync(began, a => Section(a, room).Length > 0, host);
                Assert.Equal(SectionOf(all[^1]), Section(changed, room));
                if (changed.Left(room) is { } leftSince) AssertStay(leftSince, hasStayed, all, bob);
            }
        }
    }

    /// <summary>Of messages too.</summary>
    private static string KeyOf(JsonElement e) => $"{e.Text("type")}|{(e.TryGetProperty("state_key", out var key) ? key.GetString() : null)}";

    private static void AssertLeft(RoomAnswer part, string membership, SyncUser bob)
    {
        var own = part.Timeline.Last(e => KeyOf(e) == $"m.room.member|{bob.Id}");
        Assert.Equal(membership, own.GetProperty("content").Text("membership"));
    }

    /// <summary>Nothing of the room after he was gone is there, and nothing at all if he was never in it.</summary>
    private static void AssertStay(RoomAnswer part, bool hasStayed, string[] steps, SyncUser bob)
    {
        AssertLeft(part, MembershipOf(steps[^1]), bob);
        Assert.Equal(KeyOf(part.Timeline[^1]), $"m.room.member|{bob.Id}");
        Assert.Equal(hasStayed, part.Bodies.Contains("after join"));
        if (!hasStayed) Assert.Equal(1, part.Timeline.Concat(part.State).DistinctBy(e => e.Text("event_id")).Count());
        var names = part.Timeline.Concat(part.State).Where(e => e.Text("type") == "m.room.name").Select(e => e.GetProperty("content").Text("name"));
        HashSet<string> seen = ["before", .. steps[..(Array.LastIndexOf(steps, "join") + 1)].Select(step => $"after {step}")];
        Assert.Subset(seen, names.ToHashSet());
        Assert.Subset(seen, part.Bodies.Where(b => b.StartsWith("after", StringComparison.Ordinal)).ToHashSet());
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task Sliding_sync_tells_what_its_lists_have(string steps)
    {
        var (_, left, fresh, followed) = Ways[steps];
        var (alice, bob, room) = await BeginAsync(steps);
        var followers = new[] { false, true }.Select(isStable => Client(bob, isStable, fixture.One)).ToList();
        foreach (var follower in followers) await follower.StepAsync();
        var all = steps.Split(' ');
        foreach (var step in all)
        {
            await GoAsync(step, alice, bob, room);
            foreach (var follower in followers)
            {
                var isTold = step != all[^1] || followed.Length > 0;
                var told = !isTold || steps.StartsWith("ban", StringComparison.Ordinal) ? await follower.StepAsync() : await follower.UntilAsync(a => a.Room(room) is not null);
                var membership = steps.StartsWith("ban", StringComparison.Ordinal) ? None : MembershipOf(step);
                Assert.Equal(membership, told.Room(room)?.Json.Text("membership") ?? None);
                // Told once, and that was it.
                Assert.DoesNotContain(room, (await follower.StepAsync()).RoomIds);
            }
        }
        foreach (var host in new[] { fixture.One, fixture.Two })
            foreach (var isStable in new[] { false, true })
            {
                var client = Client(bob, isStable, host);
                var answer = await client.StepAsync();
                Assert.Equal(fresh, answer.Room(room)?.Json.Text("membership") ?? None);
                Assert.Equal(fresh.Length > 0 ? 1 : 0, answer.Count());
                if (fresh is "leave" or "ban" && left == "stay") AssertStay(answer.Room(room)!, fresh, bob);
                Assert.DoesNotContain(room, (await client.StepAsync()).RoomIds);
                // Who has been in the room may ask for it, whoever it was that put him out.
                var subscriber = Client(bob, isStable, host, room);
                var asked = (await subscriber.StepAsync()).Room(room);
                Assert.Equal(left == "turn" ? None : MembershipOf(all[^1]), asked?.Json.Text("membership") ?? None);
                if (left == "stay") AssertStay(asked!, MembershipOf(all[^1]), bob);
                Assert.Empty((await subscriber.StepAsync()).RoomIds);
            }
    }

    /// <summary>A list of everything, or nothing but a subscription where a room is named.</summary>
    private static SlidingClient Client(SyncUser bob, bool isStable, ServiceHost host, string? subscribed = null)
    {
        object required = isStable ? new { include = new[] { new { } } } : new[] { new[] { "*", "*" } };
        object body = subscribed is null
            ? SlidingClient.Lists(SlidingClient.List(limit: 20, required: required))
            : new { room_subscriptions = new Dictionary<string, object> { [subscribed] = new { timeline_limit = 20, required_state = required } } };
        return new SlidingClient(bob.On(isStable ? "STABLE" : "DEV"), body) { Host = host, IsStable = isStable };
    }

    private static void AssertStay(SlidingRoomView room, string membership, SyncUser bob)
    {
        Assert.Equal("after join", room.Name);
        Assert.Contains("after join", room.Bodies);
        var last = room.Timeline[^1];
        Assert.Equal($"m.room.member|{bob.Id}", KeyOf(last));
        Assert.Equal(membership, last.GetProperty("content").Text("membership"));
        var state = room.Json.GetProperty("required_state").EnumerateArray().ToList();
        Assert.Equal("after join", state.Single(e => RoomAnswer.Key(e) == "m.room.name|").GetProperty("content").Text("name"));
        Assert.Equal(membership, state.Single(e => RoomAnswer.Key(e) == $"m.room.member|{bob.Id}").GetProperty("content").Text("membership"));
    }

    [Fact]
    public async Task A_rejected_invitation_is_told_as_stripped_state_by_the_accepted_form()
    {
        var (alice, bob, room) = await BeginAsync("invite leave");
        var client = Client(bob, isStable: true, fixture.One);
        await client.StepAsync();
        await alice.InviteAsync(room, bob);
        await client.UntilAsync(a => a.Room(room) is not null);
        await bob.LeaveAsync(room);
        var told = (await client.UntilAsync(a => a.Room(room) is not null)).Room(room)!.Json;
        var own = Assert.Single(told.GetProperty("stripped_state").EnumerateArray());
        Assert.Equal("leave", own.GetProperty("content").Text("membership"));
        Assert.False(told.TryGetProperty("timeline", out _));
    }

    [Fact]
    public async Task A_room_that_was_forgotten_is_in_no_list()
    {
        var (alice, bob, room) = await BeginAsync("join kick");
        await bob.JoinAsync(room);
        await alice.KickAsync(room, bob);
        Assert.Equal([room], (await Client(bob, isStable: false, fixture.One).StepAsync()).RoomIds);
        await bob.ForgetAsync(room);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var client = Client(bob, isStable: false, host);
            var answer = await client.StepAsync();
            Assert.Equal((0, 0), (answer.RoomIds.Count, answer.Count()));
            Assert.Empty((await client.StepAsync()).RoomIds);
        }
    }
}

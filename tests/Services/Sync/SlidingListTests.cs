using System.Text.Json;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>Sliding sync: which rooms are told.</summary>
public sealed class SlidingListTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static readonly string[][] Name = [["m.room.name", ""]];
    private ServiceHost[] Hosts => [fixture.One, fixture.Two];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_first_answer_has_the_most_recent_rooms_of_the_list(bool isStable)
    {
        var alice = fixture.NewUser();
        var rooms = new List<string>();
        for (var i = 0; i < 4; i++) rooms.Add(await alice.CreateRoomAsync(new { name = $"N{i}" }));
        await alice.SayAsync(rooms[1], "hello");
        foreach (var host in Hosts)
        {
            var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 1, limit: 1, required: isStable ? new { include = new[] { new { type = "m.room.name" } } } : Name))) { Host = host, IsStable = isStable };
            var answer = await client.StepAsync();
            Assert.Equal(4, answer.Count());
            Assert.Equal(new[] { rooms[1], rooms[3] }.Order(), answer.RoomIds.Order());
            var room = answer.Room(rooms[1])!;
            Assert.True(room.IsInitial);
            Assert.Equal(("N1", 0), (room.Name, room.Live));
            Assert.Equal(["hello"], room.Bodies);
            Assert.Equal(["m.room.name|"], room.State);
            Assert.True(room.Limited);
            Assert.Equal((1, 0), (room.Json.GetProperty("joined_count").GetInt32(), room.Json.GetProperty("invited_count").GetInt32()));
            Assert.Equal("join", room.Json.Text("membership"));
            Assert.True(room.Bump > answer.Room(rooms[3])!.Bump);
            var next = await client.StepAsync();
            Assert.Empty(next.RoomIds);
            Assert.Equal(4, next.Count());
        }
    }

    [Fact]
    public async Task A_larger_range_brings_the_other_rooms_only()
    {
        var alice = fixture.NewUser();
        var rooms = new List<string>();
        for (var i = 0; i < 4; i++) rooms.Add(await alice.CreateRoomAsync());
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 1)));
        await client.StepAsync();
        client.Body = SlidingClient.Lists(SlidingClient.List(to: 99));
        var answer = await client.StepAsync(at: fixture.Two);
        Assert.Equal(new[] { rooms[0], rooms[1] }.Order(), answer.RoomIds.Order());
        Assert.True(answer.Room(rooms[0])!.IsInitial);
        Assert.Empty((await client.StepAsync()).RoomIds);
    }

    [Fact]
    public async Task A_room_that_fell_out_of_the_range_is_told_from_where_it_was_left()
    {
        var alice = fixture.NewUser();
        var (one, two) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 0, limit: 3)));
        Assert.Equal([two], (await client.StepAsync()).RoomIds);
        await alice.SayAsync(one, "one");
        Assert.Equal([one], (await client.StepAsync()).RoomIds);
        for (var i = 0; i < 5; i++) await alice.SayAsync(two, $"two {i}");
        await alice.SetAsync(two, "m.room.topic", new { topic = "unseen" });
        await alice.SayAsync(one, "one again");
        Assert.Equal([one], (await client.StepAsync()).RoomIds);
        Assert.Empty((await client.StepAsync(at: fixture.Two)).RoomIds);
        await alice.SayAsync(two, "back");
        var part = (await client.StepAsync(at: fixture.Two)).Room(two)!;
        Assert.False(part.IsInitial);
        Assert.True(part.Limited);
        Assert.Equal(["two 4", "m.room.topic", "back"], part.Bodies);
        Assert.Equal(1, part.Live);
    }

    [Fact]
    public async Task A_subscription_tells_its_room_whatever_the_lists_say()
    {
        var (alice, eve) = (fixture.NewUser(), fixture.NewUser());
        var (one, two, foreign) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync(), await eve.CreateRoomAsync());
        await alice.SayAsync(two, "x");
        var subscriptions = new Dictionary<string, object>
        {
            [one] = new { timeline_limit = 20, required_state = new[] { new[] { "*", "*" } } }, [foreign] = new { timeline_limit = 20, required_state = Name },
        };
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 0), subscriptions: subscriptions));
        var answer = await client.StepAsync();
        Assert.Equal(new[] { one, two }.Order(), answer.RoomIds.Order());
        Assert.Contains($"m.room.member|{alice.Id}", answer.Room(one)!.State);
        Assert.Contains("m.room.create|", answer.Room(one)!.State);
        Assert.Equal(["a"], answer.Room(two)!.Json.GetProperty("lists").EnumerateArray().Select(l => l.GetString()));
        Assert.False(answer.Room(one)!.Json.TryGetProperty("lists", out _));
    }

    [Fact]
    public async Task Lists_are_filtered()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var plain = await alice.CreateRoomAsync();
        var dm = await alice.CreateRoomAsync();
        var encrypted = await alice.CreateRoomAsync(new { initial_state = new[] { new { type = "m.room.encryption", state_key = "", content = new { algorithm = "m.megolm.v1.aes-sha2" } } } });
        var space = await alice.CreateRoomAsync(new { creation_content = new { type = "m.space" } });
        var favourite = await alice.CreateRoomAsync();
        var invite = await bob.CreateRoomAsync();
        await bob.InviteAsync(invite, alice);
        await alice.SetAsync(space, "m.space.child", new { via = new[] { "x" } }, plain);
        await alice.SetAsync(space, "m.space.child", new { }, favourite);
        await alice.SetAccountDataAsync("m.direct", new Dictionary<string, string[]> { [bob.Id] = [dm] });
        await alice.CallAsync(fixture.One, HttpMethod.Put, $"/_matrix/client/v3/user/{alice.Id}/rooms/{favourite}/tags/m.favourite", new { order = 0.5 });
        string[] all = [plain, dm, encrypted, space, favourite, invite];
        var cases = new (object Filter, string[] Rooms)[]
        {
            (new { is_dm = true }, [dm]),
            (new { is_dm = false }, [.. all.Except([dm])]),
            (new { is_encrypted = true }, [encrypted]),
            (new { is_encrypted = false }, [.. all.Except([encrypted])]),
            (new { is_invite = true }, [invite]),
            (new { is_invite = false }, [.. all.Except([invite])]),
            (new { room_types = new[] { "m.space" } }, [space]),
            (new { room_types = new string?[] { null } }, [.. all.Except([space])]),
            (new { not_room_types = new[] { "m.space" } }, [.. all.Except([space])]),
            (new { room_types = new[] { "m.space", null }, not_room_types = new[] { "m.space" } }, [.. all.Except([space])]),
            (new { tags = new[] { "m.favourite", "other" } }, [favourite]),
            (new { not_tags = new[] { "m.favourite" } }, [.. all.Except([favourite])]),
            (new { tags = new[] { "m.favourite" }, not_tags = new[] { "m.favourite" } }, []),
            (new { spaces = new[] { space, "!none:x" } }, [plain]),
            (new { is_dm = false, is_invite = false, not_room_types = new[] { "m.space" } }, [plain, encrypted, favourite]),
        };
        await using var cold = await fixture.StartAsync("coldlists");
        foreach (var host in new[] { fixture.One, cold })
            foreach (var (filter, expected) in cases)
            {
                var answer = await new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(filters: filter))).StepAsync(at: host);
                Assert.True(expected.Order().SequenceEqual(answer.RoomIds.Order()), $"{JsonSerializer.Serialize(filter)} {answer.Json}");
                Assert.Equal(expected.Length, answer.Count());
            }
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(filters: new { is_encrypted = true })));
        await client.StepAsync();
        await alice.SetAsync(plain, "m.room.encryption", new { algorithm = "m.megolm.v1.aes-sha2" });
        Assert.Equal([plain], (await client.StepAsync()).RoomIds);
        client.Body = SlidingClient.Lists(SlidingClient.List(filters: new { is_dm = true }));
        Assert.True((await client.StepAsync()).Room(dm)!.Json.GetProperty("is_dm").GetBoolean());
        await alice.SetAccountDataAsync("m.direct", new Dictionary<string, string[]>());
        client.Body = SlidingClient.Lists(SlidingClient.List());
        Assert.False((await client.StepAsync()).Room(dm)!.Json.GetProperty("is_dm").GetBoolean());
    }

    [Fact]
    public async Task Ignored_users_are_not_heard_and_their_invitations_not_listed()
    {
        var (alice, eve) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await eve.JoinAsync(room);
        await alice.SetAccountDataAsync("m.ignored_user_list", new { ignored_users = new Dictionary<string, object> { [eve.Id] = new { } } });
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List()));
        await client.StepAsync();
        await eve.InviteAsync(await eve.CreateRoomAsync(), alice);
        await eve.SayAsync(room, "noise");
        await alice.SayAsync(room, "x");
        var answer = await client.StepAsync();
        Assert.Equal(1, answer.Count());
        Assert.Equal(["x"], answer.Room(room)!.Bodies);
    }
}

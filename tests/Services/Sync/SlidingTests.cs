using System.Text.Json;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>Sliding sync: which rooms are told, and what of them.</summary>
public sealed class SlidingTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static readonly string[][] Name = [["m.room.name", ""]];
    private static readonly string[][] Lazy = [["m.room.member", "$LAZY"]];

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
    public async Task News_of_a_room_are_told_once_and_live()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        foreach (var host in Hosts)
        {
            var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(required: Name))) { Host = host };
            await client.StepAsync();
            var waiting = client.UntilAsync(a => a.Room(room) is not null);
            await bob.SayAsync(room, "1");
            var part = (await waiting).Room(room)!;
            Assert.False(part.IsInitial);
            Assert.False(part.Limited);
            Assert.Equal(["1"], part.Bodies);
            Assert.Equal(1, part.Live);
            await alice.SetAsync(room, "m.room.name", new { name = "New" });
            await alice.SetAsync(room, "m.room.topic", new { topic = $"not asked for {host == fixture.One}" });
            part = (await client.UntilAsync(a => a.Room(room)?.Bodies.Contains("m.room.topic") == true)).Room(room)!;
            await alice.SetAsync(room, "m.room.name", new { });
            part = (await client.UntilAsync(a => a.Room(room) is not null)).Room(room)!;
            Assert.Equal(JsonValueKind.Null, part.Json.GetProperty("name").ValueKind);
            Assert.Equal(["m.room.name|"], part.State);
        }
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
    public async Task Asking_for_more_of_a_room_brings_it_at_once()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync(new { name = "N" });
        for (var i = 0; i < 5; i++) await alice.SayAsync(room, $"{i}");
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(limit: 1)));
        Assert.Equal(["4"], (await client.StepAsync()).Room(room)!.Bodies);
        client.Body = SlidingClient.Lists(SlidingClient.List(limit: 3, required: Name));
        var part = (await client.StepAsync(at: fixture.Two)).Room(room)!;
        Assert.Equal(["2", "3", "4"], part.Bodies);
        Assert.Equal((0, true), (part.Live, part.Json.GetProperty("unstable_expanded_timeline").GetBoolean()));
        Assert.False(part.IsInitial);
        Assert.Equal(["m.room.name|"], part.State);
        client.Body = SlidingClient.Lists(SlidingClient.List(limit: 3, required: new[] { new[] { "*", "" } }));
        part = (await client.StepAsync()).Room(room)!;
        Assert.Empty(part.Timeline);
        Assert.Contains("m.room.create|", part.State);
        client.Body = SlidingClient.Lists(SlidingClient.List(limit: 1, required: Name));
        Assert.Empty((await client.StepAsync()).RoomIds);
    }

    [Fact]
    public async Task Members_are_told_with_what_they_say_and_not_again()
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await carol.JoinAsync(room);
        await bob.SayAsync(room, "1");
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(limit: 1, required: Lazy)));
        Assert.Equal([$"m.room.member|{bob.Id}"], (await client.StepAsync()).Room(room)!.State);
        await carol.SayAsync(room, "2");
        Assert.Equal([$"m.room.member|{carol.Id}"], (await client.StepAsync()).Room(room)!.State);
        await bob.SayAsync(room, "3");
        await carol.SayAsync(room, "4");
        var part = (await client.StepAsync()).Room(room)!;
        Assert.Empty(part.State);
        Assert.True(part.Limited);
        var dave = fixture.NewUser();
        await dave.JoinAsync(room);
        Assert.Equal([$"m.room.member|{dave.Id}"], (await client.StepAsync()).Room(room)!.State);
    }

    [Fact]
    public async Task A_room_without_a_name_has_heroes()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        foreach (var host in Hosts)
        {
            var part = (await new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List())).StepAsync(at: host)).Room(room)!;
            Assert.Equal(bob.Id, Assert.Single(part.Json.GetProperty("heroes").EnumerateArray()).Text("user_id"));
        }
        await alice.SetAsync(room, "m.room.name", new { name = "N" });
        Assert.False((await new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List())).StepAsync()).Room(room)!.Json.TryGetProperty("heroes", out _));
    }

    [Theory]
    [InlineData(false, "invite_state")]
    [InlineData(true, "stripped_state")]
    public async Task An_invitation_becomes_a_room_and_a_kick_ends_it(bool isStable, string state)
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "private_chat", name = "N" });
        await alice.SayAsync(room, "before");
        object required = isStable ? new { include = new[] { new { } } } : new[] { new[] { "*", "*" } };
        var client = new SlidingClient(bob, SlidingClient.Lists(SlidingClient.List(required: required))) { IsStable = isStable };
        Assert.Empty((await client.StepAsync()).RoomIds);
        await alice.InviteAsync(room, bob);
        var part = (await client.StepAsync(at: fixture.Two)).Room(room)!;
        Assert.Equal(("invite", true), (part.Json.Text("membership"), part.IsInitial));
        Assert.Contains(part.Json.GetProperty(state).EnumerateArray(), e => e.Text("type") == "m.room.name");
        Assert.False(part.Json.TryGetProperty("timeline", out _));
        await bob.JoinAsync(room);
        part = (await client.StepAsync()).Room(room)!;
        Assert.Equal(("join", true, "N"), (part.Json.Text("membership"), part.IsInitial, part.Name));
        Assert.Contains("m.room.create|", part.State);
        await alice.SayAsync(room, "seen");
        await alice.KickAsync(room, bob);
        await alice.SayAsync(room, "unseen");
        part = (await client.StepAsync(at: fixture.Two)).Room(room)!;
        Assert.Equal("leave", part.Json.Text("membership"));
        Assert.Equal(["seen", "m.room.member"], part.Bodies);
        await alice.SayAsync(room, "unseen");
        var last = await client.StepAsync();
        Assert.Equal(1, last.Count());
        Assert.Empty(last.RoomIds);
    }

    [Fact]
    public async Task Who_leaves_by_himself_is_told_so_once_and_the_room_is_gone()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var client = new SlidingClient(bob, SlidingClient.Lists(SlidingClient.List()));
        await client.StepAsync();
        await bob.LeaveAsync(room);
        Assert.Equal("leave", (await client.StepAsync()).Room(room)!.Json.Text("membership"));
        var next = await client.StepAsync();
        Assert.Equal((0, 0), (next.RoomIds.Count, next.Count()));
        Assert.Equal(0, (await new SlidingClient(bob.On("OTHER"), SlidingClient.Lists(SlidingClient.List())).StepAsync()).Count());
        await bob.JoinAsync(room);
        Assert.True((await client.StepAsync()).Room(room)!.IsInitial);
        await bob.LeaveAsync(room);
        await bob.JoinAsync(room);
        Assert.True((await client.StepAsync(at: fixture.Two)).Room(room)!.IsInitial);
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
    public async Task A_position_that_is_not_known_is_refused_with_its_own_code()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List()));
        await client.StepAsync();
        var pos = client.Pos;
        foreach (var (user, wrong) in new[] { (bob, pos!), (alice.On("OTHER"), pos!), (alice, "nonsense"), (alice, "s1_e1"), (alice, pos!.Replace("v1", "v77", StringComparison.Ordinal)) })
            foreach (var host in Hosts)
                Assert.Equal("M_UNKNOWN_POS", (await new SlidingClient(user, client.Body) { Pos = wrong }.StepAsync(at: host, status: 400)).Json.Text("errcode"));
        // The same name again: the connection before has ended.
        await new SlidingClient(alice, client.Body).StepAsync();
        await using var cold = await fixture.StartAsync("coldpositions");
        Assert.Equal("M_UNKNOWN_POS", (await client.StepAsync(at: cold, status: 400)).Json.Text("errcode"));
        var page = await alice.GetAsync($"/rooms/{Uri.EscapeDataString(room)}/messages?dir=b&limit=1&from={pos}");
        Assert.Equal(1, page.GetProperty("chunk").GetArrayLength());
    }

    [Fact]
    public async Task A_request_that_is_repeated_gets_the_same_again()
    {
        var alice = fixture.NewUser();
        var rooms = new List<string>();
        for (var i = 0; i < 3; i++) rooms.Add(await alice.CreateRoomAsync());
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 0, required: Lazy)));
        await client.StepAsync();
        client.Body = SlidingClient.Lists(SlidingClient.List(to: 2, required: Lazy));
        await alice.SayAsync(rooms[2], "x");
        for (var i = 0; i < 4; i++)
        {
            var lost = await client.StepAsync(at: Hosts[i % 2], keep: false);
            Assert.Equal(rooms.Order(), lost.RoomIds.Order());
            Assert.Equal(["x"], lost.Room(rooms[2])!.Bodies);
            Assert.Equal([$"m.room.member|{alice.Id}"], lost.Room(rooms[0])!.State);
        }
        await client.StepAsync(at: fixture.Two);
        Assert.Empty((await client.StepAsync(at: fixture.One)).RoomIds);
    }

    [Fact]
    public async Task Extensions_tell_what_is_not_in_rooms()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (room, other) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(room);
        var id = await alice.SayAsync(room, "x");
        await bob.ReceiptAsync(room, id);
        await alice.SetRoomDataAsync(room, "x.room", new { n = 1 });
        await alice.SetAccountDataAsync("x.global", new { n = 1 });
        await bob.SendToDeviceAsync(alice, "x.message", new { n = 1 });
        var enabled = new { enabled = true };
        var extensions = new { to_device = enabled, e2ee = enabled, account_data = enabled, receipts = enabled, typing = enabled };
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(), extensions));
        var first = await client.StepAsync();
        Assert.NotNull(first.Extension("receipts", "rooms", room, "content", id, "m.read", bob.Id));
        Assert.Equal("m.receipt", first.Extension("receipts", "rooms", room)!.Value.Text("type"));
        Assert.Equal("x.room", first.Extension("account_data", "rooms", room)!.Value[0].Text("type"));
        Assert.Contains(first.Extension("account_data", "global")!.Value.EnumerateArray(), d => d.Text("type") == "x.global");
        Assert.Contains(first.Extension("account_data", "global")!.Value.EnumerateArray(), d => d.Text("type") == "m.push_rules");
        Assert.Equal("x.message", first.Extension("to_device", "events")!.Value[0].Text("type"));
        Assert.NotNull(first.Extension("e2ee", "device_one_time_keys_count"));
        Assert.Null(first.Extension("typing"));

        var seen = first.Extension("to_device")!.Value.Text("next_batch");
        client.Body = SlidingClient.Lists(SlidingClient.List(), new { to_device = new { enabled = true, since = seen }, account_data = enabled, receipts = enabled, typing = enabled, e2ee = enabled });
        var quiet = await client.StepAsync(at: fixture.Two);
        Assert.Equal(0, quiet.Extension("to_device", "events")!.Value.GetArrayLength());
        Assert.True(quiet.Extension("account_data") is null && quiet.Extension("receipts") is null && quiet.Extension("typing") is null, quiet.Json.ToString());

        await bob.TypingAsync(room, true);
        var typing = await client.UntilAsync(a => a.Extension("typing") is not null, fixture.Two);
        Assert.Equal(bob.Id, typing.Extension("typing", "rooms", room, "content", "user_ids")!.Value[0].GetString());
        Assert.Empty(typing.RoomIds);
        var second = await alice.SayAsync(room, "y");
        await bob.ReceiptAsync(room, second);
        await alice.SetRoomDataAsync(other, "x.room", new { n = 2 });
        await bob.SendToDeviceAsync(alice, "x.message", new { n = 2 });
        var next = await client.StepAsync(at: fixture.One);
        Assert.NotNull(next.Extension("receipts", "rooms", room, "content", second, "m.read", bob.Id));
        Assert.Equal(2, next.Extension("account_data", "rooms", other)!.Value[0].GetProperty("content").GetProperty("n").GetInt32());
        Assert.Equal(0, next.Extension("account_data", "global")!.Value.GetArrayLength());
        Assert.Equal(1, next.Extension("to_device", "events")!.Value.GetArrayLength());
    }

    [Fact]
    public async Task What_extensions_missed_while_a_room_was_out_of_range_comes_when_it_is_back()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (one, two) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(two);
        var id = await bob.SayAsync(two, "x");
        var enabled = new { enabled = true };
        var extensions = new { account_data = enabled, receipts = enabled };
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 0), extensions));
        await client.StepAsync();
        await alice.SayAsync(one, "on top");
        Assert.Equal([one], (await client.StepAsync()).RoomIds);
        await alice.SetRoomDataAsync(two, "x.room", new { n = 1 });
        await alice.ReceiptAsync(two, id);
        var quiet = await client.StepAsync();
        Assert.Null(quiet.Extension("account_data", "rooms", two));
        client.Body = SlidingClient.Lists(SlidingClient.List(to: 1), extensions);
        var back = await client.StepAsync(at: fixture.Two);
        Assert.Empty(back.RoomIds);
        Assert.Equal("x.room", back.Extension("account_data", "rooms", two)!.Value[0].Text("type"));
        Assert.NotNull(back.Extension("receipts", "rooms", two, "content", id, "m.read", alice.Id));
    }

    [Fact]
    public async Task Extensions_keep_to_the_lists_and_rooms_that_they_are_asked_for()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (one, two) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        foreach (var room in new[] { one, two }) await alice.SetRoomDataAsync(room, "x.room", new { n = 1 });
        var subscription = new Dictionary<string, object> { [two] = new { timeline_limit = 1, required_state = Name } };
        SlidingClient Client(object scope) => new(alice, SlidingClient.Lists(SlidingClient.List(to: 1), new { account_data = scope }, subscription));
        async Task<List<string>> RoomsAsync(SlidingClient client) =>
            (await client.StepAsync()).Extension("account_data", "rooms") is { } rooms ? [.. rooms.EnumerateObject().Select(r => r.Name)] : [];
        Assert.Equal(new[] { one, two }.Order(), (await RoomsAsync(Client(new { enabled = true }))).Order());
        var none = Array.Empty<string>();
        var client = Client(new { enabled = true, lists = none, rooms = new[] { two } });
        Assert.Equal([two], await RoomsAsync(client));
        Assert.Empty(await RoomsAsync(client));
        client.Body = Client(new { enabled = true, lists = new[] { "a" }, rooms = none }).Body;
        Assert.Equal(new[] { one, two }.Order(), (await RoomsAsync(client)).Order());
        Assert.Empty(await RoomsAsync(Client(new { enabled = true, lists = new[] { "b" }, rooms = none })));
    }

    [Fact]
    public async Task A_device_has_only_so_many_connections()
    {
        var alice = fixture.NewUser();
        await alice.CreateRoomAsync();
        SlidingClient Named(int n) => new(alice, new Dictionary<string, object>
        {
            ["conn_id"] = $"c{n}", ["lists"] = new Dictionary<string, object> { ["a"] = SlidingClient.List() },
        });
        var clients = Enumerable.Range(0, 21).Select(Named).ToList();
        foreach (var client in clients) await client.StepAsync();
        Assert.Empty((await clients[^1].StepAsync(at: fixture.Two)).RoomIds);
        Assert.Empty((await clients[1].StepAsync(at: fixture.Two)).RoomIds);
        Assert.Equal("M_UNKNOWN_POS", (await clients[0].StepAsync(at: fixture.Two, status: 400)).Json.Text("errcode"));
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

/// <summary>What sliding sync costs the database once users and rooms are in memory: nothing.</summary>
[Collection("alone")]
public sealed class SlidingSteadyStateTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    [Fact]
    public async Task Polling_and_news_cost_no_query()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await alice.SetAsync(room, "m.room.topic", new { topic = "warm" });
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(required: new[] { new[] { "m.room.member", "$LAZY" }, ["m.room.topic", ""] }), new { account_data = new { enabled = true }, receipts = new { enabled = true }, typing = new { enabled = true } })) { Host = host };
            await client.StepAsync();
            await bob.SayAsync(room, "warm");
            await client.UntilAsync(a => a.Room(room) is not null);
            using var sql = fixture.Count();
            for (var i = 0; i < 5; i++)
            {
                await bob.SayAsync(room, $"{i}");
                Assert.Equal([$"{i}"], (await client.UntilAsync(a => a.Room(room) is not null)).Room(room)!.Bodies);
                Assert.Empty((await client.StepAsync()).RoomIds);
            }
            await alice.SetAsync(room, "m.room.topic", new { topic = $"{host == fixture.One}" });
            Assert.Equal(["m.room.topic|"], (await client.UntilAsync(a => a.Room(room) is not null)).Room(room)!.State);
            Assert.Empty(sql.All);
        }
    }
}

using System.Text.Json;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>Sliding sync: what is told of a room.</summary>
public sealed class SlidingRoomTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static readonly string[][] Name = [["m.room.name", ""]];
    private static readonly string[][] Lazy = [["m.room.member", "$LAZY"]];
    private ServiceHost[] Hosts => [fixture.One, fixture.Two];

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
    public async Task Reading_on_another_device_brings_the_counts_down()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var client = new SlidingClient(bob, SlidingClient.Lists(SlidingClient.List()));
        var stable = new SlidingClient(bob.On("STABLE"), SlidingClient.Lists(SlidingClient.List())) { IsStable = true };
        var id = await alice.SayAsync(room, "hello");
        int Count(SlidingAnswerView answer) => answer.Room(room)!.Json.GetProperty("notification_count").GetInt32();
        Assert.Equal(1, Count(await client.StepAsync()));
        Assert.False((await stable.StepAsync()).Room(room)!.Json.TryGetProperty("notification_count", out _));
        await bob.On("OTHER").ReceiptAsync(room, id, "m.read.private");
        var read = await client.UntilAsync(a => a.Room(room) is not null, fixture.Two);
        Assert.Equal((0, 0), (Count(read), read.Room(room)!.Timeline.Count));
        Assert.Empty((await client.StepAsync()).RoomIds);
        Assert.Empty((await stable.StepAsync()).RoomIds);
    }
}

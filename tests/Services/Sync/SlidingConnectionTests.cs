using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>Sliding sync: positions and connections.</summary>
public sealed class SlidingConnectionTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static readonly string[][] Lazy = [["m.room.member", "$LAZY"]];
    private ServiceHost[] Hosts => [fixture.One, fixture.Two];

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
    public async Task Nothing_is_built_on_a_superseded_position()
    {
        var alice = fixture.NewUser();
        for (var i = 0; i < 4; i++) await alice.CreateRoomAsync();
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 0)));
        await client.StepAsync();
        var old = client.Pos;
        foreach (var host in Hosts) await client.StepAsync(at: host, keep: false);       // both have it in memory
        for (var to = 1; to < 4; to++)
        {
            client.Body = SlidingClient.Lists(SlidingClient.List(to: to));
            await client.StepAsync(at: fixture.One);
        }
        await using var cold = await fixture.StartAsync("coldsuperseded");
        foreach (var host in (ServiceHost[])[.. Hosts, cold])
        {
            foreach (var body in new[] { client.Body, SlidingClient.Lists(SlidingClient.List(to: 0)) })
                Assert.Equal("M_UNKNOWN_POS", (await new SlidingClient(alice, body) { Pos = old }.StepAsync(at: host, status: 400)).Json.Text("errcode"));
            await client.StepAsync(at: host, keep: false);
        }
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
}

namespace Matrix.ServiceTests.Sync;

/// <summary>Whose device lists a client has to ask for again, and whose it may forget.</summary>
public sealed class DeviceListTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static readonly object Encryption = new { e2ee = new { enabled = true } };

    private static List<string> Told(SlidingAnswerView answer, string what) =>
        [.. answer.Extension("e2ee", "device_lists", what)?.EnumerateArray().Select(u => u.GetString()!) ?? []];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rooms_that_the_filter_hides_count_as_well(bool isExcluded)
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var (room, shown) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(room);
        var filter = isExcluded ? new { room = new { not_rooms = new[] { room } } } : (object)new { room = new { rooms = new[] { shown } } };

        async Task<string> ExpectAsync(string since, string[] changed, string[] left)
        {
            await using var cold = await fixture.StartAsync("hidden");
            var next = since;
            foreach (var host in new[] { cold, fixture.One, fixture.Two })
            {
                var answer = await alice.SyncUntilAsync(since, a => !a.IsEmpty, host, filter);
                Assert.Null(answer.Json.At("rooms"));
                Assert.Equal((string.Join(' ', changed), string.Join(' ', left)), (string.Join(' ', answer.DevicesChanged), string.Join(' ', answer.DevicesLeft)));
                next = answer.Next;
            }
            return next;
        }

        var since = (await alice.SyncAsync(filter: filter)).Next;
        await alice.SyncAsync(filter: filter, at: fixture.Two);
        await carol.JoinAsync(room);
        since = await ExpectAsync(since, [carol.Id], []);
        await carol.LeaveAsync(room);
        since = await ExpectAsync(since, [], [carol.Id]);
        await alice.LeaveAsync(room);
        since = await ExpectAsync(since, [], [bob.Id]);
        await alice.JoinAsync(room);
        await ExpectAsync(since, [bob.Id], []);
    }

    [Fact]
    public async Task Who_is_invited_and_does_not_come_is_told_nowhere()
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var since = (await alice.SyncAsync()).Next;
        var sliding = new SlidingClient(alice.On("PHONE"), SlidingClient.Lists(SlidingClient.List(), Encryption));
        await sliding.StepAsync();
        await alice.InviteAsync(room, bob);
        await bob.LeaveAsync(room);
        await carol.JoinAsync(room);
        var told = await alice.SyncUntilAsync(since, a => a.DevicesChanged.Count > 0);
        Assert.Equal([carol.Id], told.DevicesChanged);
        Assert.Empty(told.DevicesLeft);
        var answer = await sliding.UntilAsync(a => Told(a, "changed").Count > 0);
        Assert.Equal([carol.Id], Told(answer, "changed"));
        Assert.Empty(Told(answer, "left"));
    }

    [Fact]
    public async Task Who_left_while_the_reader_was_away_is_a_device_list_that_left()
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await carol.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        var sliding = new SlidingClient(bob.On("PHONE"), SlidingClient.Lists(SlidingClient.List(), Encryption));
        await sliding.StepAsync();
        await bob.LeaveAsync(room);
        await carol.LeaveAsync(room);
        await bob.JoinAsync(room);
        await using var cold = await fixture.StartAsync("away");
        foreach (var host in new[] { fixture.One, fixture.Two, cold })
        {
            Assert.Equal([carol.Id], (await bob.SyncUntilAsync(since, a => a.DevicesChanged.Contains(alice.Id), host)).DevicesLeft);
            var answer = await sliding.StepAsync(at: host, keep: false);
            Assert.Equal([carol.Id], Told(answer, "left"));
        }
    }

    [Fact]
    public async Task Who_left_before_the_reader_did_is_a_device_list_that_left()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        var sliding = new SlidingClient(bob.On("PHONE"), SlidingClient.Lists(SlidingClient.List(), Encryption));
        await sliding.StepAsync();
        await alice.LeaveAsync(room);
        await bob.LeaveAsync(room);
        await using var cold = await fixture.StartAsync("left");
        foreach (var host in new[] { fixture.One, fixture.Two, cold })
        {
            Assert.Equal([alice.Id], (await bob.SyncUntilAsync(since, a => a.Left(room) is not null, host)).DevicesLeft);
            var answer = await sliding.StepAsync(at: host, keep: false);
            Assert.Equal([alice.Id], Told(answer, "left"));
        }
    }

    [Fact]
    public async Task Who_left_and_was_invited_again_between_two_answers_shares_no_room_meanwhile()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await bob.SyncAsync()).Next;
        await bob.LeaveAsync(room);
        await alice.InviteAsync(room, bob);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var answer = await bob.SyncUntilAsync(since, a => a.Invited(room) is not null, host);
            Assert.Equal([alice.Id], answer.DevicesLeft);
        }
    }
}

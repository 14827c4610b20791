namespace Matrix.ServiceTests.Sync;

/// <summary>What an answer costs the database once users and rooms are in memory: nothing.</summary>
[Collection("alone")]
public sealed class SyncSteadyStateTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private async Task<(SyncUser Alice, SyncUser Bob, string Room)> WarmAsync()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await bob.SayAsync(room, "warm");
        await alice.SayAsync(room, "warm");
        return (alice, bob, room);
    }

    [Fact]
    public async Task A_client_that_polls_for_nothing_costs_no_query()
    {
        var (alice, _, _) = await WarmAsync();
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var since = (await alice.SyncAsync(at: host)).Next;
            using var sql = fixture.Count();
            for (var i = 0; i < 20; i++) since = (await alice.SyncAsync(since, at: host)).Next;
            Assert.Empty(sql.All);
        }
    }

    [Fact]
    public async Task New_events_are_told_without_a_query()
    {
        var (alice, bob, room) = await WarmAsync();
        foreach (var (host, filter) in new[] { (fixture.One, (object?)null), (fixture.Two, null), (fixture.Two, new { room = new { state = new { lazy_load_members = true } } }) })
        {
            var since = (await alice.SyncAsync(filter: filter, at: host)).Next;
            await bob.SayAsync(room, "warm");
            since = (await alice.SyncUntilAsync(since, a => a.Joined(room) is not null, host, filter)).Next;
            using var sql = fixture.Count();
            for (var i = 0; i < 10; i++)
            {
                var id = await bob.SayAsync(room, $"m{i}");
                var answer = await alice.SyncUntilAsync(since, a => a.Joined(room) is not null, host, filter);
                Assert.Equal([id], answer.Joined(room)!.Ids);
                since = answer.Next;
            }
            Assert.Empty(sql.All);
        }
    }

    [Fact]
    public async Task State_and_joins_of_others_are_told_without_a_query()
    {
        var (alice, _, room) = await WarmAsync();
        var since = (await alice.SyncAsync(at: fixture.Two)).Next;
        await alice.SetAsync(room, "m.room.topic", new { topic = "warm" });
        since = (await alice.SyncUntilAsync(since, a => a.Joined(room) is not null, fixture.Two)).Next;
        var carol = fixture.NewUser();
        await carol.JoinAsync(room);
        await alice.SetAsync(room, "m.room.topic", new { topic = "new" });
        using var sql = fixture.Count();
        var part = (await alice.SyncUntilAsync(since, a => a.Joined(room)?.Bodies[^1] == "m.room.topic", fixture.Two)).Joined(room)!;
        Assert.Equal(3, part.JoinedCount);
        Assert.Empty(sql.All);
    }

    [Fact]
    public async Task What_a_process_has_missed_is_not_read_on_account_of_the_request_that_waits_for_it()
    {
        var (alice, _, room) = await WarmAsync();
        await alice.SyncAsync(at: fixture.Two);
        fixture.Bus.Loss = 1;
        try
        {
            await alice.SayAsync(room, "lost");
            var ahead = (await alice.SyncAsync()).Next;
            using var sql = fixture.CountOwn();
            Assert.True((await alice.SyncAsync(ahead, at: fixture.Two)).IsEmpty);
            Assert.Empty(sql.All);
        }
        finally
        {
            fixture.Bus.Loss = 0;
        }
    }

    [Fact]
    public async Task A_second_initial_sync_reads_positions_and_receipts_only()
    {
        var (alice, bob, room) = await WarmAsync();
        for (var i = 0; i < 5; i++) await bob.JoinAsync(await alice.CreateRoomAsync());
        var filter = new { room = new { timeline = new { limit = 20 }, state = new { lazy_load_members = true } } };
        await alice.SyncAsync(filter: filter, at: fixture.Two);
        using var sql = fixture.Count();
        var answer = await alice.SyncAsync(filter: filter, at: fixture.Two);
        Assert.Equal(6, answer.JoinedRooms.Count());
        Assert.InRange(sql.All.Count, 0, 1);
        Assert.All(sql.All, s => Assert.Contains("from receipts", s));
    }

    [Fact]
    public async Task Many_who_ask_for_a_cold_room_share_one_load()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var members = Enumerable.Range(0, 20).Select(_ => fixture.NewUser()).ToList();
        foreach (var member in members) await member.JoinAsync(room);
        await using var cold = await fixture.StartAsync("cold");
        using var sql = fixture.Count();
        await Task.WhenAll(members.Select(m => m.SyncAsync(at: cold)));
        Assert.Equal(1, sql.Containing("from current_state"));
        Assert.Equal(20, sql.Containing("from account_data"));
    }
}

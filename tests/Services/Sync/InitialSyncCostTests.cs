namespace Matrix.ServiceTests.Sync;

/// <summary>What an initial sync costs the database, however many rooms the account has.</summary>
[Collection("alone")]
public sealed class InitialSyncCostTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static object Filter(int limit) => new { room = new { timeline = new { limit }, state = new { lazy_load_members = true } } };

    private static object Related(string id, string type) => new Dictionary<string, object>
    {
        ["msgtype"] = "m.text", ["body"] = "* new", ["m.new_content"] = new { msgtype = "m.text", body = "new" },
        ["m.relates_to"] = type == "m.annotation" ? new { rel_type = type, event_id = id, key = "x" } : (object)new { rel_type = type, event_id = id },
    };

    private async Task<SyncUser> UserAsync(int rooms, bool isRelated)
    {
        var alice = fixture.NewUser();
        for (var i = 0; i < rooms; i++)
        {
            var room = await alice.CreateRoomAsync();
            var id = await alice.SayAsync(room, "old");
            if (isRelated) await alice.SayAsync(room, "* new", Related(id, "m.replace"));
            else await alice.SendAsync(room, "m.reaction", Related(id, "m.annotation"));
            for (var n = 0; n < 60; n++) await alice.SayAsync(room, $"{n}");
        }
        return alice;
    }

    /// <summary>Of a cold process, of a deeper timeline than it has in memory, and of one that has all.</summary>
    private async Task<(int Cold, int Deeper, int Warm)> CostsAsync(SyncUser alice)
    {
        await using var host = await fixture.StartAsync("fresh");
        var cold = await CostAsync(5);
        var deeper = await CostAsync(65);
        return (cold, deeper, await CostAsync(65));

        async Task<int> CostAsync(int limit)
        {
            using var sql = fixture.CountOwn();
            var answer = await alice.SyncAsync(filter: Filter(limit), at: host);
            Assert.All(answer.JoinedRooms, room => Assert.Equal((limit, true), (answer.Joined(room)!.Timeline.Count, answer.Joined(room)!.Limited)));
            return sql.All.Count;
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_number_of_statements_does_not_grow_with_the_rooms(bool isRelated)
    {
        var (few, many) = (await CostsAsync(await UserAsync(5, isRelated)), await CostsAsync(await UserAsync(30, isRelated)));
        Assert.Equal((few.Deeper, few.Warm), (many.Deeper, many.Warm));
        Assert.InRange(many.Warm, 0, isRelated ? 6 : 1);
        Assert.InRange(many.Cold, Math.Max(1, few.Cold), few.Cold + 1);      // events that nobody has read are looked at some rooms at a time
    }

    [Fact]
    public async Task A_first_answer_of_sliding_sync_costs_the_same_for_few_rooms_and_many()
    {
        var (few, many) = (await CostAsync(5), await CostAsync(15));
        Assert.Equal(few, many);

        async Task<(int Cold, int Warm)> CostAsync(int rooms)
        {
            var alice = await UserAsync(rooms, isRelated: true);
            await using var host = await fixture.StartAsync("fresh");
            var extensions = new { e2ee = new { enabled = true }, account_data = new { enabled = true }, receipts = new { enabled = true }, typing = new { enabled = true } };
            async Task<SlidingAnswerView> FirstAsync() => await new SlidingClient(
                alice, SlidingClient.Lists(SlidingClient.List(to: 99, limit: 20, required: new[] { new[] { "m.room.member", "$LAZY" } }), extensions)).StepAsync(at: host);
            var cold = await CountAsync();
            return (cold, await CountAsync());

            async Task<int> CountAsync()
            {
                using var sql = fixture.CountOwn();
                Assert.Equal(rooms, (await FirstAsync()).RoomIds.Count);
                return sql.All.Count;
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_first_answer_with_some_rooms_costs_the_same_however_many_the_account_has(bool isFiltered)
    {
        var filters = isFiltered ? new { not_room_types = new[] { "m.space" }, is_encrypted = false, spaces = (string[]?)null } : null;
        var (few, many) = (await CostAsync(12), await CostAsync(80));
        Assert.Equal(few, many);

        async Task<int> CostAsync(int rooms)
        {
            var alice = fixture.NewUser();
            for (var i = 0; i < rooms; i++) await alice.CreateRoomAsync();
            await using var host = await fixture.StartAsync("fresh");
            var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 9, filters: filters)));
            using var sql = fixture.CountOwn();
            var answer = await client.StepAsync(at: host);
            Assert.Equal((10, rooms), (answer.RoomIds.Count, answer.Count()));
            return sql.All.Count;
        }
    }

    [Fact]
    public async Task Rooms_that_were_left_cost_the_same_for_few_and_many()
    {
        var (few, many) = (await CostAsync(3), await CostAsync(20));
        Assert.Equal(few, many);
        Assert.NotEqual(0, few);

        async Task<int> CostAsync(int rooms)
        {
            var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
            for (var i = 0; i < rooms; i++)
            {
                var room = await alice.CreateRoomAsync();
                await bob.JoinAsync(room);
                for (var n = 0; n < 25; n++) await alice.SayAsync(room, $"{n}");
                if (i % 3 == 0) await alice.BanAsync(room, bob);
                else await bob.LeaveAsync(room);
                // Gone already when he was banned.
                if (i % 3 == 1) await alice.BanAsync(room, bob);
            }
            using var sql = fixture.CountOwn();
            var answer = await bob.SyncAsync(filter: new { room = new { include_leave = true, timeline = new { limit = 5 }, state = new { lazy_load_members = true } } }, at: fixture.Two);
            Assert.Equal(rooms, answer.Json.At("rooms", "leave")!.Value.EnumerateObject().Count(r => new RoomAnswer(r.Value) is { Limited: true, State.Count: > 5, Timeline.Count: 5 }));
            return sql.All.Count;
        }
    }

    [Fact]
    public async Task Gaps_cost_the_same_in_few_rooms_and_many()
    {
        var (few, many) = (await CostAsync(3), await CostAsync(15));
        Assert.Equal(few, many);
        Assert.NotEqual(0, few);

        async Task<int> CostAsync(int rooms)
        {
            var alice = fixture.NewUser();
            var ids = new List<string>();
            for (var i = 0; i < rooms; i++) ids.Add(await alice.CreateRoomAsync());
            var since = (await alice.SyncAsync()).Next;
            foreach (var room in ids)
            {
                await alice.SetAsync(room, "m.room.topic", new { topic = "in the gap" });
                for (var n = 0; n < 60; n++) await alice.SayAsync(room, $"{n}");
            }
            await using var host = await fixture.StartAsync("fresh");
            using var sql = fixture.CountOwn();
            var answer = await alice.SyncAsync(since, Filter(5), host);
            Assert.All(ids, room => Assert.Contains("m.room.topic|", answer.Joined(room)!.StateKeys));
            return sql.All.Count;
        }
    }

    [Fact]
    public async Task Relations_are_asked_for_where_events_have_some_that_are_aggregated()
    {
        var plain = await UserAsync(2, isRelated: false);
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            await plain.SyncAsync(filter: Filter(20), at: host);
            using var sql = fixture.CountOwn();
            await plain.SyncAsync(filter: Filter(20), at: host);
            Assert.Equal(0, sql.Containing("event_relations"));
        }
    }
}

namespace Matrix.ServiceTests.Sync;

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

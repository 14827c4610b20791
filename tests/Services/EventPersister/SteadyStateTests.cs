namespace Matrix.ServiceTests.EventPersister;

/// <summary>What a send costs the database once its room is in memory.</summary>
[Collection("alone")]
public sealed class SteadyStateTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    [Fact]
    public async Task A_send_reads_nothing_and_shares_one_transaction()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        (await alice.SendAsync(room, "warm")).Ok();
        using var sql = Sql.Count(fixture.ConnectionString);
        for (var i = 0; i < 20; i++) (await alice.SendAsync(room, "x")).Ok();
        Assert.NotEmpty(sql.All);
        Assert.All(sql.All, s => Assert.Contains("insert into events", s));
        Assert.InRange(sql.All.Count, 1, 20);
    }

    [Fact]
    public async Task Concurrent_sends_share_transactions()
    {
        var alice = await fixture.NewUserAsync();
        var rooms = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => alice.CreateRoomAsync()));
        await Task.WhenAll(rooms.Select(async r => (await alice.SendAsync(r, "warm")).Ok()));
        using var sql = Sql.Count(fixture.ConnectionString);
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i => (await alice.SendAsync(rooms[i % 10], "x")).Ok()));
        Assert.All(sql.All, s => Assert.Contains("insert into events", s));
        Assert.InRange(sql.All.Count, 1, 150);
    }

    [Fact]
    public async Task A_state_event_of_a_known_key_reads_nothing()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        (await alice.SetStateAsync(room, "x.y", "z", new { n = 0 })).Ok();
        using var sql = Sql.Count(fixture.ConnectionString);
        for (var i = 1; i < 20; i++) (await alice.SetStateAsync(room, "x.y", "z", new { n = i })).Ok();
        Assert.All(sql.All, s => Assert.Contains("insert into events", s));
    }

    [Fact]
    public async Task A_room_is_created_in_one_transaction_and_loads_nothing_for_the_first_send()
    {
        var alice = await fixture.NewUserAsync();
        await alice.CreateRoomAsync(new { name = "warm", topic = "warm" });
        using var sql = Sql.Count(fixture.ConnectionString);
        var room = await alice.CreateRoomAsync(new { name = "a", topic = "b" });
        (await alice.SendAsync(room, "x")).Ok();
        Assert.Equal(2, sql.All.Count(s => s.Contains("insert into events")));
        Assert.InRange(sql.All.Count, 2, 3);        // a block of numbers may be due
    }
}

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

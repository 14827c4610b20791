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

    [Fact]
    public async Task Senders_of_one_room_share_its_transactions()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        (await alice.SendAsync(room, "warm")).Ok();
        using var sql = Sql.Count(fixture.ConnectionString);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
        {
            for (var i = 0; i < 10; i++) (await alice.SendAsync(room, "x")).Ok();
        }));
        Assert.All(sql.All, s => Assert.Contains("insert into events", s));
        // One after the other they would be two hundred.
        Assert.InRange(sql.All.Count, 10, 100);
    }

    [Fact]
    public async Task A_join_costs_the_same_however_many_are_there()
    {
        var alice = await fixture.NewUserAsync();
        async Task<int> CostAsync(int members)
        {
            var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
            for (var i = 0; i < members; i++) (await (await fixture.NewUserAsync()).JoinAsync(room)).Ok();
            var bob = await fixture.NewUserAsync();
            (await bob.GetAsync("/rooms/!none:test.example/state/m.room.name")).Is(403, "M_FORBIDDEN");      // his token is known from now on
            using var sql = Sql.Count(fixture.ConnectionString);
            (await bob.JoinAsync(room)).Ok();
            Assert.Single(sql.All, s => s.Contains("insert into events"));
            return sql.All.Count;
        }
        var few = await CostAsync(2);
        Assert.Equal(few, await CostAsync(40));
        // Whether the room is blocked, his profile, the new key of state, the event.
        Assert.InRange(few, 1, 4);
    }

    [Fact]
    public async Task A_new_room_costs_the_same_however_many_are_invited()
    {
        var alice = await fixture.NewUserAsync();
        async Task<int> CostAsync(int invited)
        {
            var users = new List<string>();
            for (var i = 0; i < invited; i++) users.Add((await fixture.NewUserAsync()).Id);
            await alice.CreateRoomAsync(new { name = "n", topic = "t", invite = users });      // profiles and keys of state are known from now on
            using var sql = Sql.Count(fixture.ConnectionString);
            await alice.CreateRoomAsync(new { name = "n", topic = "t", invite = users });
            Assert.Single(sql.All, s => s.Contains("insert into events"));
            return sql.All.Count(s => !s.Contains("nextval"));
        }
        Assert.Equal(1, await CostAsync(0));
        // One question for all of them: who wants no invites.
        Assert.Equal(2, await CostAsync(1));
        Assert.Equal(2, await CostAsync(25));
    }

    [Fact]
    public async Task Who_loses_a_room_to_another_persister_reads_its_state_again_only_when_it_changed()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        async Task<List<string>> AfterAsync(Func<User, Task> elsewhere)
        {
            (await alice.SendAsync(room, "held by the first")).Ok();
            (await alice.At(fixture.Two).SendAsync(room, "known there")).Ok();
            (await alice.SendAsync(room, "held by the first again")).Ok();
            await elsewhere(alice.At(fixture.Two));
            using var sql = Sql.Count(fixture.ConnectionString);
            (await alice.SendAsync(room, "after")).Ok();
            return [.. sql.All];
        }
        const string State = "with recursive p";
        Assert.DoesNotContain(await AfterAsync(async a => (await a.SendAsync(room, "message")).Ok()), s => s.Contains(State));
        Assert.Contains(await AfterAsync(async a => (await a.SetStateAsync(room, "m.room.name", "", new { name = "new" })).Ok()), s => s.Contains(State));
        // What was redacted elsewhere is not held here.
        var name = (await alice.SetStateAsync(room, "m.room.name", "", new { name = "named" })).Ok().EventId;
        await AfterAsync(async a => (await a.PostAsync($"/rooms/{Uri.EscapeDataString(room)}/redact/{Uri.EscapeDataString(name)}")).Ok());
        Assert.NotEqual(name, (await alice.SetStateAsync(room, "m.room.name", "", new { name = "named" })).Ok().EventId);
    }
}

[CollectionDefinition("alone", DisableParallelization = true)]
public sealed class Alone;

using Npgsql;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>The database goes away in the middle.</summary>
public sealed class FaultTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private string DatabaseName => new NpgsqlConnectionStringBuilder(fixture.ConnectionString).Database!;

    private async Task AdminAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(fixture.ConnectionString) { Database = "postgres", Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private Task KillConnectionsAsync() =>
        AdminAsync($"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{DatabaseName}' and application_name in ('one', 'two')");

    [Fact]
    public async Task Nothing_acknowledged_is_lost_and_nothing_is_there_twice_when_connections_die()
    {
        var alice = await fixture.NewUserAsync();
        var rooms = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => alice.CreateRoomAsync()));
        var done = 0;
        var killer = Task.Run(async () =>
        {
            for (var i = 0; i < 8; i++)
            {
                var until = (i + 1) * 30;
                while (Volatile.Read(ref done) < until) await Task.Yield();
                await KillConnectionsAsync();
            }
        });
        var acknowledged = await Task.WhenAll(Enumerable.Range(0, 12).Select(async sender =>
        {
            var ids = new List<(string Room, string Id)>();
            for (var i = 0; i < 30; i++)
            {
                var room = rooms[(sender + i) % rooms.Length];
                PersisterHost.Answer answer;
                do
                {
                    answer = await alice.At(sender % 3 == 0 ? fixture.Two : fixture.One).SendAsync(room, $"{sender}.{i}", $"kill{sender}.{i}");
                    if (answer.Status != 200) Assert.Equal((503, "M_UNKNOWN"), (answer.Status, answer.Code));
                }
                while (answer.Status != 200);
                ids.Add((room, answer.EventId));
                Interlocked.Increment(ref done);
            }
            return ids;
        }));
        await killer;
        foreach (var room in rooms)
        {
            var timeline = await fixture.TimelineAsync(room);
            var messages = timeline.Where(e => e.Pdu.Type == "m.room.message").ToList();
            Assert.Equal(acknowledged.SelectMany(a => a).Where(a => a.Room == room).Select(a => a.Id).Order(), messages.Select(e => e.Pdu.EventId).Order());
            for (var i = 1; i < timeline.Count; i++) Assert.Equal([timeline[i - 1].Pdu.EventId], timeline[i].Pdu.PrevEvents);
        }
        Assert.Equal(
            await fixture.CountAsync("select pos from stream_counters where stream = 'events'"),
            await fixture.CountAsync("select count(*) from event_stream"));
    }

    [Fact]
    public async Task A_connection_that_dies_costs_a_client_nothing_but_time()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        (await alice.SetStateAsync(room, "x.state", "k", new { i = "first" })).Ok();
        for (var i = 0; i < 5; i++)
        {
            await KillConnectionsAsync();
            // No transaction id to tell a repetition by: the events themselves do.
            (await alice.SetStateAsync(room, "x.state", "k", new { i })).Ok();
        }
        Assert.Equal(["\"first\"", "0", "1", "2", "3", "4"], (await fixture.TimelineAsync(room)).Where(e => e.Pdu.Type == "x.state").Select(e => System.Text.Encoding.UTF8.GetString(e.Pdu.ContentValue("i"u8))));
    }

    [Fact]
    public async Task A_commit_whose_answer_is_lost_is_found_to_have_happened()
    {
        await using var relay = new CuttingRelay(fixture.ConnectionString, "x.deadly");
        await using var host = await PersisterHost.StartAsync("relayed", relay.ConnectionString, fixture.Bus);
        var alice = (await fixture.NewUserAsync()).At(host);
        var room = await alice.CreateRoomAsync();
        (await alice.SetStateAsync(room, "x.state", "", new { })).Ok();
        var deadly = (await alice.PostAsync($"/rooms/{Uri.EscapeDataString(room)}/send/x.deadly")).Ok().EventId;     // without a transaction id
        Assert.Equal(1, relay.Cut);
        Assert.Equal(deadly, Assert.Single(await fixture.TimelineAsync(room), e => e.Pdu.Type == "x.deadly").Pdu.EventId);
        // The room in memory is the room: nothing has to be read again.
        (await alice.SendAsync(room, "goes on")).Ok();
        var timeline = await fixture.TimelineAsync(room);
        Assert.Equal([deadly], timeline[^1].Pdu.PrevEvents);
    }

    [Fact]
    public async Task While_the_database_is_away_clients_are_told_to_come_back_and_afterwards_all_goes_on()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        (await alice.SendAsync(room, "before")).Ok();
        await AdminAsync($"alter database {DatabaseName} allow_connections false");
        try
        {
            await KillConnectionsAsync();
            var answer = await alice.SendAsync(room, "during", "t-during");
            // 55000: the server is there and turns us away; 503 in any case.
            Assert.Equal(503, answer.Status);
        }
        finally
        {
            await AdminAsync($"alter database {DatabaseName} allow_connections true");
        }
        (await alice.SendAsync(room, "during", "t-during")).Ok();
        var bodies = (await fixture.TimelineAsync(room)).Where(e => e.Pdu.Type == "m.room.message").Select(e => e.Pdu.ContentString("body"u8));
        Assert.Equal(["before", "during"], bodies);
    }
}

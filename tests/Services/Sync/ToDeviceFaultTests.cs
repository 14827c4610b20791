using Npgsql;

namespace Matrix.ServiceTests.Sync;

/// <summary>Writers and readers of device messages die, again and again: each message arrives once, in order.</summary>
[Collection("alone")]
public sealed class ToDeviceFaultTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private async Task KillConnectionsAsync()
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(fixture.Postgres.ConnectionString) { Database = "postgres", Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and query not like 'listen%' and pid <> pg_backend_pid()", connection);
        command.Parameters.AddWithValue(new NpgsqlConnectionStringBuilder(fixture.Postgres.ConnectionString).Database!);
        await command.ExecuteNonQueryAsync();
    }

    private async Task AddDeviceAsync(SyncUser user)
    {
        await using var command = fixture.Postgres.Source.CreateCommand("insert into devices (user_id, device_id, created_ts_ms) values ($1, $2, 0)");
        command.Parameters.AddWithValue(user.Id);
        command.Parameters.AddWithValue(user.Device);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>As clients do: the same transaction until it is acknowledged, though it may have happened already.</summary>
    private async Task SendAsync(SyncUser from, SyncUser to, int n)
    {
        var body = System.Text.Json.JsonSerializer.Serialize(new
        {
            messages = new Dictionary<string, object> { [to.Id] = new Dictionary<string, object> { ["*"] = new { from = from.Id, n } } },
        });
        while (true)
        {
            var (status, _) = await fixture.One.JsonAsync(HttpMethod.Put, $"/_matrix/client/v3/sendToDevice/x.n/{n}", $"{from.Id}|{from.Device}", body);
            if (status == 200) return;
            Assert.Equal(503, status);
        }
    }

    /// <summary>The first answer that is one.</summary>
    private async Task<SyncAnswer> AfterwardsAsync(SyncUser user, string since)
    {
        while (true)
        {
            var (status, body) = await fixture.One.JsonAsync(HttpMethod.Get, $"/_matrix/client/v3/sync?timeout=0&since={Uri.EscapeDataString(since)}", $"{user.Id}|{user.Device}");
            if (status == 200) return new SyncAnswer(body);
            Assert.Equal(503, status);
        }
    }

    [Fact]
    public async Task Each_message_arrives_once_and_in_order()
    {
        const int Senders = 4, Messages = 60;
        var receiver = fixture.NewUser();
        await AddDeviceAsync(receiver);
        var senders = Enumerable.Range(0, Senders).Select(_ => fixture.NewUser()).ToList();
        fixture.Bus.Loss = 0.3;
        var sent = 0;
        var writing = Task.WhenAll(senders.Select(async sender =>
        {
            for (var n = 0; n < Messages; n++)
            {
                await SendAsync(sender, receiver, n);
                if (Interlocked.Increment(ref sent) % 20 == 0) await KillConnectionsAsync();
            }
        }));

        var got = senders.ToDictionary(s => s.Id, _ => new List<int>());
        var random = new Random(7);
        string? since = null;
        var round = 0;
        Hosting.ServiceHost? third = null;
        while (got.Values.Sum(g => g.Count) < Senders * Messages)
        {
            // The third reader dies, and a new one begins cold.
            if (round++ % 12 == 0)
            {
                if (third is not null) await third.DisposeAsync();
                third = await fixture.StartAsync($"reader{round}");
            }
            var host = random.Next(3) switch { 0 => fixture.One, 1 => fixture.Two, _ => third! };
            var path = $"/_matrix/client/v3/sync?set_presence=offline&timeout=100" + (since is null ? "" : $"&since={Uri.EscapeDataString(since)}");
            var (status, body) = await host.JsonAsync(HttpMethod.Get, path, $"{receiver.Id}|{receiver.Device}");
            if (status != 200) continue;
            // The answer is lost on its way, or the client dies before it has kept it: it asks again from where it was.
            if (random.Next(3) == 0) continue;
            var answer = new SyncAnswer(body);
            foreach (var message in answer.ToDevice)
            {
                var content = message.GetProperty("content");
                Assert.Equal(content.Text("from"), message.Text("sender"));
                got[content.Text("from")].Add(content.GetProperty("n").GetInt32());
            }
            since = answer.Next;
        }
        await writing;
        fixture.Bus.Loss = 0;
        if (third is not null) await third.DisposeAsync();
        Assert.All(got.Values, g => Assert.Equal(Enumerable.Range(0, Messages), g));
        Assert.Empty((await AfterwardsAsync(receiver, since!)).ToDevice);
        // Acknowledged: nothing is kept.
        fixture.Postgres.Source.Clear();
        await using var left = fixture.Postgres.Source.CreateCommand("select count(*) from to_device_messages where user_id = $1");
        left.Parameters.AddWithValue(receiver.Id);
        Assert.Equal(0L, await left.ExecuteScalarAsync());
    }
}

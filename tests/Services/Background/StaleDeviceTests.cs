using Matrix.Background.Duties;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Testing.Servers;
using Matrix.Testing.Time;

namespace Matrix.ServiceTests.Background;

/// <summary>Synapse: delete_stale_devices_after</summary>
public sealed class StaleDeviceTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private readonly ManualTime clock = new();

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<string> ListAsync(string sql)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        return (string)(await command.ExecuteScalarAsync())!;
    }

    [Fact]
    public async Task Devices_that_nobody_has_used_for_long_are_logged_out_and_told_of()
    {
        var now = clock.GetUtcNow();
        foreach (var (device, days) in ((string, double?)[])[("OLD", 31), ("OLDER", 400), ("NEW", 29), ("NEVER", null)])
        {
            await ExecuteAsync("insert into devices (user_id, device_id, created_ts_ms, last_seen_ts_ms) values ('@a:x', $1, 0, $2)", device,
                days is { } d ? (now - TimeSpan.FromDays(d)).ToUnixTimeMilliseconds() : DBNull.Value);
            await ExecuteAsync("insert into access_tokens (token_hash, user_id, device_id, created_ts_ms) values ($1, '@a:x', $2, 0)", System.Text.Encoding.UTF8.GetBytes(device), device);
        }
        await RunAsync(null);
        Assert.Equal("NEVER NEW OLD OLDER", await ListAsync("select string_agg(device_id, ' ' order by device_id) from devices"));
        await RunAsync(TimeSpan.FromDays(30));
        Assert.Equal("NEVER NEW", await ListAsync("select string_agg(device_id, ' ' order by device_id) from devices"));
        Assert.Equal("NEVER NEW", await ListAsync("select string_agg(device_id, ' ' order by device_id) from access_tokens"));
        Assert.Equal("@a:x", await ListAsync("select string_agg(key, ' ') from stream_rows where stream = 'device_lists'"));
    }

    private async Task RunAsync(TimeSpan? age)
    {
        var config = new HomeserverConfig
        {
            ServerName = "x", Database = new DatabaseConfig { ConnectionString = postgres.ConnectionString }, Accounts = new() { DeleteDevicesAfter = age },
        };
        var duty = new StaleDevicesDuty(new StaleDeviceStore(postgres.Database), new DeviceStore(postgres.Database), new Silent(), config, clock);
        while (await duty.RunAsync(CancellationToken.None) > 0) { }
    }

    private sealed class Silent : IStreamPublisher
    {
        public ValueTask PublishAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows, CancellationToken ct) => ValueTask.CompletedTask;
        public ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct) => throw new NotSupportedException();
    }
}

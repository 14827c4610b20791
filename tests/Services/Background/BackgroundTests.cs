using Matrix.Background.Duties;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Instances;
using Matrix.Storage.Streams;
using Matrix.Storage.Upkeep;
using Matrix.Testing.Servers;
using Matrix.Testing.Time;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.ServiceTests.Background;

public sealed class BackgroundTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private readonly ManualTime clock = new();
    private UpkeepStore Store => new(postgres.Database);
    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<long> CountAsync(string sql)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        return Convert.ToInt64(await command.ExecuteScalarAsync());
    }

    private async Task RunAsync(IBackgroundDuty duty)
    {
        while (await duty.RunAsync(CancellationToken.None) > 0) { }
    }

    [Fact]
    public async Task What_has_expired_goes_and_what_has_not_stays()
    {
        var day = (long)TimeSpan.FromDays(1).TotalMilliseconds;
        foreach (var (name, age) in ((string, long)[])[("old", 40 * day), ("new", 0)])
        {
            await ExecuteAsync("insert into access_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms) values ($1, '@a:x', $2, 0, $3)",
                new byte[] { (byte)name[0] }, name, Now - age);
            await ExecuteAsync("insert into event_txns (user_id, device_id, txn_id, event_id, room_id, created_ts_ms) values ('@a:x', 'D', $1, $1, '!r', $2)", name, Now - age);
            await ExecuteAsync("insert into client_txns (user_id, device_id, scope, txn_id, created_ts_ms) values ('@a:x', 'D', 's', $1, $2)", name, Now - age);
            await ExecuteAsync("insert into registration_nonces (nonce, created_ts_ms) values ($1, $2)", name, Now - age);
            await ExecuteAsync("insert into uia_sessions (session_id, created_ts_ms) values ($1, $2)", name, Now - age);
            await ExecuteAsync("insert into refresh_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms) values ($1, '@a:x', 'D', 0, $2)",
                new byte[] { (byte)name[0] }, Now - age);
            await ExecuteAsync("insert into registration_tokens (token, pending) values ($1, 1)", name);
            await ExecuteAsync("insert into registration_token_uses (session_id, token, created_ts_ms) values ($1, $1, $2)", name, Now - age);
        }
        await ExecuteAsync("insert into access_tokens (token_hash, user_id, device_id, created_ts_ms) values ($1, '@a:x', 'for ever', 0)", new byte[] { 1 });
        await ExecuteAsync(
            """
            insert into instances (name, service, service_group, address, internal_address, started_ts_ms, heartbeat)
            values ('dead', 's', 's', '', '', 0, now() - interval '1 day'), ('alive', 's', 's', '', '', 0, now())
            """);
        foreach (var duty in ExpiryDuty.All(Store, new RegistrationTokenStore(postgres.Database), clock)) await RunAsync(duty);
        Assert.Equal(2, await CountAsync("select count(*) from access_tokens"));
        foreach (var table in (string[])["event_txns", "client_txns", "registration_nonces", "uia_sessions", "refresh_tokens", "registration_token_uses"])
            Assert.Equal(1, await CountAsync($"select count(*) from {table}"));
        Assert.Equal(1, await CountAsync("select sum(pending) from registration_tokens"));
        Assert.Equal(0, await CountAsync("select count(*) from instances where name = 'dead'"));
        Assert.Equal(1, await CountAsync("select count(*) from instances where name = 'alive'"));
    }

    [Fact]
    public async Task Old_stream_rows_go_after_their_time_but_not_before_a_reader_has_come_so_far()
    {
        var duty = new PruneStreamsDuty(Store, clock);
        await AppendAsync(10);
        await RunAsync(duty);                       // notes where the streams are
        clock.Advance(TimeSpan.FromHours(1));
        await AppendAsync(10);
        await RunAsync(duty);
        Assert.Equal(20, await CountAsync("select count(*) from stream_rows where stream = 'receipts'"));
        clock.Advance(PruneStreamsDuty.Retention - TimeSpan.FromMinutes(30));
        await ExecuteAsync("insert into stream_cursors (reader, stream, pos) values ('slow', 'receipts', 4)");
        await RunAsync(duty);
        Assert.Equal(16, await CountAsync("select count(*) from stream_rows where stream = 'receipts'"));
        Assert.Equal(4, await CountAsync("select min_pos from stream_retained where stream = 'receipts'"));
        await ExecuteAsync("update stream_cursors set pos = 15 where reader = 'slow'");
        await RunAsync(duty);
        Assert.Equal(10, await CountAsync("select count(*) from stream_rows where stream = 'receipts'"));
        clock.Advance(TimeSpan.FromHours(1));
        await RunAsync(duty);
        Assert.Equal(5, await CountAsync("select count(*) from stream_rows where stream = 'receipts'"));
        await Assert.ThrowsAsync<StreamRowsPrunedException>(() => new StreamStore(postgres.Database).ReadAsync(Streams.Receipts, 3, 20, 10, CancellationToken.None));
        Assert.Equal(5, (await new StreamStore(postgres.Database).ReadAsync(Streams.Receipts, 15, 20, 10, CancellationToken.None)).Rows.Count);
    }

    private async Task AppendAsync(int count) => await StreamCounters.AppendAsync(
        postgres.Database, Streams.Receipts, [.. Enumerable.Range(0, count).Select(i => ($"!r{i}", default(ReadOnlyMemory<byte>)))], CancellationToken.None);

    private sealed class Counting : IBackgroundDuty
    {
        public string Name => "counting";
        public TimeSpan Interval => TimeSpan.FromMinutes(1);
        public int Runs { get; private set; }
        public Task<int> RunAsync(CancellationToken ct) => Task.FromResult(Runs++ < 2 ? 1 : 0);
    }

    [Fact]
    public async Task A_duty_is_done_by_the_one_who_holds_its_lease_until_nothing_is_left()
    {
        var (one, two) = (new Counting(), new Counting());
        using var metrics = new DutyMetrics(clock);
        DutyRunner Runner(string name, IBackgroundDuty duty) =>
            new([duty], new LeaseStore(postgres.Database), new InstanceIdentity("background", name, "background"), metrics, clock, NullLogger<DutyRunner>.Instance);
        Assert.True(await Runner("one", one).TurnAsync(one, CancellationToken.None));
        Assert.Equal(3, one.Runs);
        Assert.False(await Runner("two", two).TurnAsync(two, CancellationToken.None));
        Assert.Equal(0, two.Runs);
        await ExecuteAsync("update leases set expires = now() - interval '1 second' where name = 'background:counting'");
        Assert.True(await Runner("two", two).TurnAsync(two, CancellationToken.None));
    }
}

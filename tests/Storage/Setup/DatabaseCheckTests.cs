using Matrix.Storage.Setup;
using Matrix.Testing.Servers;
using Npgsql;

namespace Matrix.StorageTests.Setup;

public class DatabaseCheckTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task A_fresh_database_has_no_fault() => Assert.Empty(await DatabaseChecks.RunAsync(postgres.Source, false, default));

    [Theory]
    [InlineData("events", "insert into event_stream (pos, room_nid, event_nid) values (7, 1, 1), (-3, 1, 2)", "up to 7")]
    [InlineData("receipts", "insert into receipts (room_id, user_id, receipt_type, event_id, ts_ms, pos) values ('!a', '@a', 'm.read', '$a', 0, 9)", "up to 9")]
    [InlineData("to_device", "with d as (insert into devices (user_id, device_id, created_ts_ms) values ('@a', 'D', 0)) insert into to_device_messages values ('@a', 'D', 4, 0, '@b', 't', '')", "up to 4")]
    [InlineData("caches", "insert into stream_rows values ('caches', 5, 0, 'k', '')", "up to 5")]
    [InlineData("push_rules", "insert into stream_retained values ('push_rules', 12)", "up to 12")]
    [InlineData("device_lists", "insert into stream_cursors values ('sender', 'device_lists', 3)", "up to 3")]
    [InlineData("user_directory", "delete from stream_counters where stream = 'user_directory'", "no counter")]
    [InlineData("rooms_room_nid_seq", "insert into rooms (room_nid, room_id, version, created_ts_ms) values (40, '!a', '12', 0)", "given out nothing")]
    [InlineData("state_keys_state_key_nid_seq", "insert into state_keys values (2, 't', ''); select nextval('state_keys_state_key_nid_seq')", "given out 1")]
    [InlineData("event_nids", "insert into events values (1500, '$a', 1, 't', null, '@a', 1, 0, 0, 0, null, null, '{}', '{}', null, ''); select nextval('event_nids')", "holds 1500")]
    [InlineData("snapshot_nids", "insert into state_snapshots values (1, 1, 1, 0, '')", "given out nothing")]
    public async Task Each_fault_is_reported_with_the_sql_that_mends_it(string what, string damage, string says)
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync());
        await RunAsync(source, damage);
        var fault = Assert.Single(await DatabaseChecks.RunAsync(source, false, default));
        Assert.Contains(what, fault.Problem, StringComparison.Ordinal);
        Assert.Contains(says, fault.Problem, StringComparison.Ordinal);
        Assert.False(fault.IsWarning);
        await RunAsync(source, fault.Sql!);
        Assert.Empty(await DatabaseChecks.RunAsync(source, false, default));
    }

    [Fact]
    public async Task Blocks_of_a_sequence_that_were_given_out_are_no_fault()
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync());
        await RunAsync(source, "select nextval('event_nids'); insert into events values (1000, '$a', 1, 't', null, '@a', 1, 0, 0, 0, null, null, '{}', '{}', null, '')");
        Assert.Empty(await DatabaseChecks.RunAsync(source, false, default));
    }

    [Fact]
    public async Task All_faults_come_at_once()
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync());
        await RunAsync(source, "insert into event_stream values (7, 1, 1); insert into stream_rows values ('caches', 5, 0, 'k', ''); insert into rooms values (40, '!a', '12', 0, 0)");
        Assert.Equal(3, (await DatabaseChecks.RunAsync(source, false, default)).Count);
    }

    [Fact]
    public async Task Another_locale_is_a_fault_unless_it_is_allowed()
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync("template template0 encoding 'UTF8' lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'"));
        await Migrations.ApplyAsync(source, default);
        var fault = Assert.Single(await DatabaseChecks.RunAsync(source, false, default));
        Assert.Contains("allow_unsafe_locale", fault.Cure, StringComparison.Ordinal);
        Assert.False(fault.IsWarning);
        Assert.True(Assert.Single(await DatabaseChecks.RunAsync(source, true, default)).IsWarning);
    }

    [Fact]
    public async Task Another_encoding_is_a_fault()
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync("template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'"));
        await Migrations.ApplyAsync(source, default);
        Assert.Contains("LATIN1", Assert.Single(await DatabaseChecks.RunAsync(source, true, default)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_database_without_schema_says_so_and_nothing_else()
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync("template template0"));
        Assert.Contains("schema version 0", Assert.Single(await DatabaseChecks.RunAsync(source, true, default), f => !f.IsWarning).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Asynchronous_commit_is_a_warning()
    {
        var connectionString = await postgres.CreateDatabaseAsync();
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database;
        await PostgresFixture.ExecuteAsync($"alter database {name} set synchronous_commit = off");
        var fault = Assert.Single(await DatabaseChecks.RunAsync(postgres.Open(connectionString), false, default));
        Assert.True(fault.IsWarning);
        await PostgresFixture.ExecuteAsync(fault.Sql!);
        Assert.Empty(await DatabaseChecks.RunAsync(postgres.Open(connectionString), false, default));
    }

    private static async Task RunAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }
}

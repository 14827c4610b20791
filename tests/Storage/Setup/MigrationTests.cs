using Matrix.Storage.Setup;
using Matrix.Testing.Servers;
using Npgsql;

namespace Matrix.StorageTests.Setup;

public class MigrationTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private const string Empty = "template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'";

    [Fact]
    public async Task Many_processes_that_migrate_at_once_apply_every_file_once()
    {
        var connectionString = await postgres.CreateDatabaseAsync(Empty);
        var runs = await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            await using var source = DatabaseSetup.CreateDataSource(connectionString, 0, 1);
            return await Migrations.ApplyAsync(source, default);
        }));
        Assert.Equal(Migrations.All.Select(m => m.Version), runs.SelectMany(r => r).Select(m => m.Version).Order());
        await using var connection = await postgres.Open(connectionString).OpenConnectionAsync();
        Assert.Equal(Migrations.Latest, (await Migrations.ReadVersionAsync(connection, default)).Version);
    }

    [Fact]
    public async Task A_file_that_fails_leaves_nothing_behind_and_those_before_it_stay()
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync(Empty));
        Migration[] files = [new(1, "good", 1, "create table good (a int)"), new(2, "bad", 2, "create table bad (a int); select 1 / 0")];
        await Assert.ThrowsAsync<PostgresException>(() => Migrations.ApplyAsync(source, files, default));
        Assert.Equal("1|good", await ScalarAsync(source, "select max(version) || '|' || (select string_agg(table_name, ',') from information_schema.tables where table_name in ('good', 'bad')) from schema_version"));
        files[1] = files[1] with { Sql = "create table bad (a int)" };
        Assert.Equal([2], (await Migrations.ApplyAsync(source, files, default)).Select(m => m.Version));
    }

    [Fact]
    public async Task A_newer_schema_is_refused_unless_it_says_that_this_release_can_work_with_it()
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync());
        var next = Migrations.Latest + 1;
        await ScalarAsync(source, $"insert into schema_version values ({next}, 0, {Migrations.Latest})");
        Assert.Empty(await Migrations.ApplyAsync(source, default));
        Assert.Empty(await DatabaseChecks.RunAsync(source, false, default));

        await ScalarAsync(source, $"update schema_version set oldest_compatible_version = {next} where version = {next}");
        var refused = await Assert.ThrowsAsync<DatabaseFaultException>(() => Migrations.ApplyAsync(source, default));
        Assert.Contains($"version {next}", refused.Fault.Problem, StringComparison.Ordinal);
        Assert.Contains(await DatabaseChecks.RunAsync(source, false, default), f => f.Problem == refused.Fault.Problem);
    }

    [Fact]
    public async Task A_file_with_a_lower_number_that_arrives_later_is_applied_too()
    {
        var source = postgres.Open(await postgres.CreateDatabaseAsync(Empty));
        Migration[] files = [new(1, "one", 1, "create table one (a int)"), new(5, "five", 5, "create table five (a int)")];
        Assert.Equal([1, 5], (await Migrations.ApplyAsync(source, files, default)).Select(m => m.Version));
        Migration[] more = [files[0], new(3, "three", 3, "create table three (a int)"), files[1]];
        Assert.Equal([3], (await Migrations.ApplyAsync(source, more, default)).Select(m => m.Version));
        Assert.Empty(await Migrations.ApplyAsync(source, more, default));
    }

    private static async Task<object?> ScalarAsync(NpgsqlDataSource source, string sql)
    {
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync();
    }
}

using System.Text;
using Matrix.Replication;
using Matrix.Storage;
using Matrix.Storage.Streams;
using Matrix.Testing.Servers;

namespace Matrix.StorageTests.StreamTables;

public class StreamCounterTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task Positions_follow_on_each_other_and_rows_are_read_back()
    {
        var (database, store) = await FreshAsync();
        Assert.Equal((0, 3), await StreamCounters.AppendAsync(database, Streams.Receipts, Rows("!a", "!b", "!c"), default));
        Assert.Equal((3, 4), await StreamCounters.AppendAsync(database, Streams.Receipts, Rows("!d"), default));
        Assert.Equal((4, 4), await StreamCounters.AppendAsync(database, Streams.Receipts, [], default));
        Assert.Equal((0, 1), await StreamCounters.AppendAsync(database, Streams.Caches, Rows("user:@a"), default));

        var page = await store.ReadAsync(Streams.Receipts, 1, 99, 100, default);
        Assert.Equal(4, page.To);
        Assert.Equal(["2 !b b", "3 !c c", "4 !d d"], page.Rows.Select(r => $"{r.Position} {r.Key} {Encoding.UTF8.GetString(r.Payload.Span)}"));
        var positions = await store.GetPositionsAsync(default);
        Assert.Equal((4, 1, 0), (positions[Streams.Receipts], positions[Streams.Caches], positions[Streams.Events]));
        Assert.Equal(Streams.All.Where(s => !s.IsEphemeral).ToHashSet(), positions.Keys.ToHashSet());
    }

    [Fact]
    public async Task Numbered_rows_are_what_is_read()
    {
        var (database, store) = await FreshAsync();
        var rows = Rows("!a", "!b");
        var (from, to) = await StreamCounters.AppendAsync(database, Streams.Receipts, rows, default);
        var read = await store.ReadAsync(Streams.Receipts, from, to, 100, default);
        Assert.Equal(read.Rows.Select(r => (r.Position, r.Key)), StreamCounters.Number(from, rows).Select(r => (r.Position, r.Key)));
    }

    [Fact]
    public async Task A_rollback_gives_its_positions_back()
    {
        var (database, _) = await FreshAsync();
        await using (var connection = await database.Source.OpenConnectionAsync())
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            Assert.Equal((0, 2), await StreamCounters.AppendAsync(connection, transaction, Streams.Caches, Rows("a", "b"), default));
            await transaction.RollbackAsync();
        }
        Assert.Equal((0, 1), await StreamCounters.AppendAsync(database, Streams.Caches, Rows("c"), default));
    }

    [Fact]
    public async Task A_writer_waits_for_the_one_before_it_to_commit()
    {
        var (database, store) = await FreshAsync();
        await using var connection = await database.Source.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await StreamCounters.AppendAsync(connection, transaction, Streams.Caches, Rows("first"), default);
        var second = StreamCounters.AppendAsync(database, Streams.Caches, Rows("second"), default);
        await BlockedAsync(database);
        Assert.False(second.IsCompleted);
        Assert.Equal(0, (await store.GetPositionsAsync(default))[Streams.Caches]);
        await transaction.CommitAsync();
        Assert.Equal((1, 2), await second);
    }

    [Fact]
    public async Task Whoever_sees_a_position_sees_every_smaller_one_while_many_write_and_roll_back()
    {
        var (database, store) = await FreshAsync();
        const int Writers = 6, Batches = 40;
        var writing = Task.WhenAll(Enumerable.Range(0, Writers).Select(w => Task.Run(async () =>
        {
            var random = new Random(w);
            for (var i = 0; i < Batches; i++)
            {
                var rows = Rows([.. Enumerable.Range(0, random.Next(1, 5)).Select(r => $"{w}-{i}-{r}")]);
                await using var connection = await database.Source.OpenConnectionAsync();
                await using var transaction = await connection.BeginTransactionAsync();
                await StreamCounters.AppendAsync(connection, transaction, Streams.Caches, rows, default);
                if (random.Next(4) == 0) await transaction.RollbackAsync();
                else await transaction.CommitAsync();
            }
        })));
        long reached = 0;
        var seen = new HashSet<string>();
        while (true)
        {
            var last = writing.IsCompleted;
            var page = await store.ReadAsync(Streams.Caches, reached, long.MaxValue, 50, default);
            Assert.Equal(Enumerable.Range(1, page.Rows.Count).Select(i => reached + i), page.Rows.Select(r => r.Position));
            Assert.Equal(page.To, reached + page.Rows.Count);
            Assert.All(page.Rows, r => Assert.True(seen.Add(r.Key)));
            if (last && page.To == reached) break;
            reached = page.To;
        }
        await writing;
        Assert.Equal(reached, (await store.GetPositionsAsync(default))[Streams.Caches]);
        Assert.NotEmpty(seen);
    }

    [Fact]
    public async Task Streams_without_rows_of_their_own_are_refused()
    {
        await Assert.ThrowsAsync<ArgumentException>(() => StreamCounters.AppendAsync(postgres.Database, Streams.Events, Rows("a"), default));
        await Assert.ThrowsAsync<ArgumentException>(() => StreamCounters.AppendAsync(postgres.Database, Streams.Typing, Rows("a"), default));
    }

    private async Task<(Database, StreamStore)> FreshAsync()
    {
        var database = new Database(postgres.Open(await postgres.CreateDatabaseAsync()));
        return (database, new StreamStore(database));
    }

    /// <summary>Returns when some session waits for a lock.</summary>
    private static async Task BlockedAsync(Database database)
    {
        while (true)
        {
            await using var command = database.Source.CreateCommand(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'");
            if (await command.ExecuteScalarAsync() is > 0L) return;
        }
    }

    private static IReadOnlyList<(string, ReadOnlyMemory<byte>)> Rows(params string[] keys) =>
        [.. keys.Select(k => (k, (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(k[^1..])))];
}

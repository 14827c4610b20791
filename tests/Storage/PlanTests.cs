using Matrix.Storage.Streams;
using Matrix.Testing.Servers;
using Npgsql;

namespace Matrix.StorageTests;

/// <summary>The hot statements of streams find their rows by index, whatever the tables hold.</summary>
public class PlanTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private const string Fill =
        """
        insert into stream_rows select 'caches', n, 0, 'key ' || n, '' from generate_series(1, 5000) n on conflict do nothing;
        insert into stream_cursors select 'reader ' || n, 'events', n from generate_series(1, 5000) n on conflict do nothing;
        insert into rooms (room_nid, room_id, version, created_ts_ms) select n, '!' || n, '12', 0 from generate_series(1, 5000) n on conflict do nothing;
        insert into state_keys select n, 'm.room.member', '@' || n from generate_series(1, 5000) n on conflict do nothing;
        insert into events select n, '$' || n, n, 'm.room.member', n, '@a', 1, 0, 0, 0, null, null, '{}', '{}', null, '{}' from generate_series(1, 5000) n on conflict do nothing;
        insert into event_stream select n, n, n from generate_series(1, 5000) n on conflict do nothing;
        insert into event_txns select '@a', 'D', 't' || n, '$' || n, '!' || n, 0 from generate_series(1, 5000) n on conflict do nothing;
        """;

    [Theory]
    [InlineData(StreamSql.ReadRows, "'caches', 100, 200, 50", "stream_rows")]
    [InlineData(StreamSql.ReadEvents, "100, 200, 50", "event_stream,events,rooms,state_keys,event_txns")]
    [InlineData(StreamSql.SaveCursor, "'a', 'events', 1", "stream_cursors")]
    public async Task No_table_that_grows_is_read_from_end_to_end(string sql, string arguments, string growing)
    {
        await using var connection = await postgres.Source.OpenConnectionAsync();
        await RunAsync(Fill);
        await RunAsync("analyze");
        await RunAsync("set plan_cache_mode = force_generic_plan");
        await RunAsync($"prepare probe as {sql}");
        var plan = await RunAsync($"explain execute probe ({arguments})");
        await RunAsync("deallocate probe; reset all");
        foreach (var table in growing.Split(',')) Assert.DoesNotContain($"Seq Scan on {table}", plan, StringComparison.Ordinal);

        async Task<string> RunAsync(string text)
        {
            await using var command = new NpgsqlCommand(text, connection);
            await using var reader = await command.ExecuteReaderAsync();
            var lines = new List<string>();
            while (await reader.ReadAsync()) lines.Add(reader.GetString(0));
            return string.Join('\n', lines);
        }
    }
}

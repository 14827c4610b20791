using System.Text;
using Matrix.Replication;
using Matrix.Storage;
using Matrix.Storage.Events;
using Matrix.Storage.Streams;
using Matrix.Testing.Servers;

namespace Matrix.StorageTests.StreamTables;

public class StreamStoreTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task An_event_is_read_with_all_that_a_reader_shows()
    {
        var (database, store) = await FreshAsync(
            """
            insert into rooms (room_nid, room_id, version, created_ts_ms) values (5, '!r:a', '11', 0);
            insert into state_keys values (8, 'm.room.topic', '');
            insert into events (event_nid, event_id, room_nid, type, state_key_nid, sender, depth, origin_server_ts, received_ts_ms, flags, replaces_nid, prev_nids, auth_nids, redacts, json)
            values (1, '$old', 5, 'm.room.topic', 8, '@a:a', 1, 0, 10, 0, null, '{}', '{}', null, '{"auth":[],"content": {"topic":"old"} ,"type":"m.room.topic"}'),
                   (2, '$new', 5, 'm.room.topic', 8, '@b:a', 2, 0, 20, 0, 1, '{1}', '{}', null, '{"content":{"topic":"new"}}'),
                   (3, '$msg', 5, 'm.room.message', null, '@b:a', 3, 0, 30, 8, null, '{2}', '{}', '$old', '{"content":{}}'),
                   (4, '$lost', 5, 'm.room.topic', 8, '@b:a', 3, 0, 40, 16, 1, '{1}', '{}', null, '{"content":{}}');
            insert into event_txns values ('@b:a', 'DEV', 'txn7', '$msg', '!r:a', 0);
            insert into event_stream values (-1, 5, 1), (1, 5, 2), (2, 5, 3), (3, 5, 4);
            update stream_counters set pos = 3 where stream = 'events';
            """);
        var page = await store.ReadAsync(Streams.Events, 0, 3, 100, default);
        Assert.Equal(3, page.To);
        Assert.All(page.Rows, r => Assert.Equal("!r:a", r.Key));
        var rows = page.Rows.Select(r => EventRow.Decode(r)).ToList();

        var topic = rows[0];
        Assert.Equal((1, 5, 2, "!r:a", "$new", "11"), (topic.Position, topic.RoomNid, topic.EventNid, topic.RoomId, topic.EventId, topic.RoomVersion));
        Assert.Equal(("m.room.topic", "", "@b:a", 20, true), (topic.Type, topic.StateKey, topic.Sender, topic.ReceivedTsMs, topic.IsCurrentState));
        Assert.Equal(("$old", "@a:a", """{"topic":"old"}"""), (topic.ReplacesEventId, topic.PrevSender, Encoding.UTF8.GetString(topic.PrevContent.Span)));
        Assert.Equal("""{"content":{"topic":"new"}}""", Encoding.UTF8.GetString(topic.Json.Span));
        Assert.Null(topic.TxnId);

        var message = rows[1];
        Assert.Equal(("DEV", "txn7", "$old", EventFlags.Redacted, false),
            (message.TxnDeviceId, message.TxnId, message.Redacts, message.Flags, message.IsCurrentState));
        Assert.Null(message.StateKey);
        Assert.Null(message.ReplacesEventId);

        Assert.False(rows[2].IsCurrentState);
        Assert.Equal("", rows[2].StateKey);
        await database.Source.DisposeAsync();
    }

    [Fact]
    public async Task What_an_event_read_is_read_with_it_also_when_it_was_redacted()
    {
        var (database, store) = await FreshAsync(
            """
            insert into rooms (room_nid, room_id, version, created_ts_ms) values (5, '!r:a', '11', 0);
            insert into events (event_nid, event_id, room_nid, type, sender, depth, origin_server_ts, received_ts_ms, flags, prev_nids, auth_nids, json)
            select n, '$' || n, 5, 'm.room.message', '@b:a', n, 0, 0, (array[0, 64, 64, 72])[n], '{}', '{}', '{"content":{}}' from generate_series(1, 4) n;
            insert into event_stream values (1, 5, 1, null), (2, 5, 2, null), (3, 5, 3, '$root'), (4, 5, 4, '$root');
            update stream_counters set pos = 4 where stream = 'events';
            """);
        var page = await store.ReadAsync(Streams.Events, 0, 4, 100, default);
        Assert.Equal([null, "main", "$root", "$root"], page.Rows.Select(r => EventRow.Decode(r).Reads));
        await database.Source.DisposeAsync();
    }

    [Fact]
    public async Task Pages_are_about_as_long_as_asked_and_never_split_a_position()
    {
        var (_, store) = await FreshAsync(
            """
            insert into stream_rows select 'caches', p, o, p || '.' || o, '' from generate_series(1, 4) p, generate_series(0, 2) o order by random();
            update stream_counters set pos = 6 where stream = 'caches';
            """);
        var page = await store.ReadAsync(Streams.Caches, 0, 6, 4, default);
        Assert.Equal(2, page.To);
        Assert.Equal(["1.0", "1.1", "1.2", "2.0", "2.1", "2.2"], page.Rows.Select(r => r.Key));
        page = await store.ReadAsync(Streams.Caches, 2, 6, 100, default);
        Assert.Equal((6, 6), (page.To, page.Rows.Count));
        Assert.Equal(new StreamPage(6, []).To, (await store.ReadAsync(Streams.Caches, 6, 6, 4, default)).To);
    }

    [Fact]
    public async Task A_page_never_claims_positions_that_do_not_exist()
    {
        var (_, store) = await FreshAsync("update stream_counters set pos = 3 where stream in ('caches', 'events')");
        Assert.Equal(3, (await store.ReadAsync(Streams.Caches, 0, 1000, 10, default)).To);
        Assert.Equal(3, (await store.ReadAsync(Streams.Events, 0, 1000, 10, default)).To);
        Assert.Equal(7, (await store.ReadAsync(Streams.Caches, 7, 1000, 10, default)).To);
    }

    [Fact]
    public async Task Rows_that_were_pruned_are_not_passed_over_in_silence()
    {
        var (_, store) = await FreshAsync(
            """
            insert into stream_rows values ('caches', 6, 0, 'k', '');
            insert into stream_retained values ('caches', 5);
            update stream_counters set pos = 6 where stream = 'caches';
            """);
        await Assert.ThrowsAsync<StreamRowsPrunedException>(() => store.ReadAsync(Streams.Caches, 4, 6, 10, default));
        Assert.Single((await store.ReadAsync(Streams.Caches, 5, 6, 10, default)).Rows);
    }

    [Fact]
    public async Task A_cursor_is_kept_and_never_goes_back()
    {
        var cursors = new CursorStore(postgres.Database);
        Assert.Null(await cursors.GetAsync("push:a", Streams.Events, default));
        await cursors.SaveAsync("push:a", Streams.Events, 7, null, default);
        await cursors.SaveAsync("push:a", Streams.Events, 5, null, default);
        Assert.Equal(7, await cursors.GetAsync("push:a", Streams.Events, default));
        await postgres.Database.InTransactionAsync(async t =>
        {
            await cursors.SaveAsync("push:a", Streams.Events, 9, t, default);
            return 0;
        }, default);
        Assert.Equal(9, await cursors.GetAsync("push:a", Streams.Events, default));
        Assert.Null(await cursors.GetAsync("push:a", Streams.Receipts, default));
    }

    private async Task<(Database, StreamStore)> FreshAsync(string sql)
    {
        var database = new Database(postgres.Open(await postgres.CreateDatabaseAsync()));
        await using var command = database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
        return (database, new StreamStore(database));
    }
}

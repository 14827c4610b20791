using Matrix.Replication;
using Npgsql;

namespace Matrix.Storage.Streams;

/// <summary>What a committed write added to a stream: rows with positions in (From, To]. The caller publishes it.</summary>
public sealed record StreamBatch(StreamDefinition Stream, long From, long To, IReadOnlyList<StreamRow> Rows);

public static class StreamBatchPublishing
{
    /// <summary>After COMMIT. Takes no cancellation: what is committed is announced, though the client has gone.</summary>
    public static async ValueTask PublishAllAsync(this IStreamPublisher publisher, IReadOnlyList<StreamBatch> batches)
    {
        foreach (var batch in batches)
            await publisher.PublishAsync(batch.Stream, batch.From, batch.To, batch.Rows, CancellationToken.None);
    }
}

/// <summary>
/// A domain write and its stream rows as one statement, hence one round trip and one commit: the statement's common table expressions end with
/// <c>stream_input(stream, key, payload)</c>, followed by <see cref="Tail"/>. Rows may come from what the statement wrote (<c>returning</c>).
/// Each row takes one position; counters are locked in the order of their names.
/// </summary>
internal static class StreamStatement
{
    /// <remarks>
    /// <c>locked</c> exists for the order of the locks alone: an UPDATE joined to several counters would take them as the plan pleases.
    /// Answers stream, position, key, payload, ascending.
    /// </remarks>
    public const string Tail =
        """
        , stream_numbered as (
            select stream, key, payload, row_number() over (partition by stream) as n from stream_input),
        stream_wanted as (select stream, count(*) as k from stream_numbered group by stream),
        stream_locked as materialized (
            select s.stream from stream_counters s where s.stream in (select w.stream from stream_wanted w) order by s.stream for update),
        stream_taken as (
            update stream_counters s set pos = s.pos + w.k from stream_wanted w join stream_locked l on l.stream = w.stream
            where s.stream = w.stream returning s.stream, s.pos - w.k as base),
        stream_written as (
            insert into stream_rows (stream, pos, ord, key, payload)
            select n.stream, t.base + n.n, 0, n.key, n.payload from stream_numbered n join stream_taken t on t.stream = n.stream
            returning stream, pos, key, payload)
        select stream, pos, key, payload from stream_written order by stream, pos
        """;

    /// <summary>Rows given by arrays, for the last statement of a transaction: $1 streams, $2 keys, $3 payloads.</summary>
    internal const string SqlAppend =
        "with stream_input as (select i.stream, i.key, i.payload from unnest($1::text[], $2::text[], $3::bytea[]) as i(stream, key, payload))" + Tail;

    public static async Task<List<StreamBatch>> ReadAsync(NpgsqlDataReader r, CancellationToken ct)
    {
        var batches = new List<StreamBatch>();
        List<StreamRow>? rows = null;
        StreamDefinition? stream = null;
        while (await r.ReadAsync(ct))
        {
            var name = r.GetString(0);
            if (stream?.Name != name)
            {
                Close(batches, stream, rows);
                stream = Replication.Streams.Find(name) ?? throw new InvalidDataException($"No stream is called '{name}'.");
                rows = [];
            }
            rows!.Add(new StreamRow(r.GetInt64(1), r.GetString(2), r.GetFieldValue<byte[]>(3)));
        }
        Close(batches, stream, rows);
        return batches;
    }

    private static void Close(List<StreamBatch> batches, StreamDefinition? stream, List<StreamRow>? rows)
    {
        if (stream is not null && rows is { Count: > 0 })
            batches.Add(new StreamBatch(stream, rows[0].Position - 1, rows[^1].Position, rows));
    }

    public static async Task<List<StreamBatch>> AppendAsync(
        NpgsqlTransaction tx, IReadOnlyList<(StreamDefinition Stream, string Key, byte[] Payload)> rows, CancellationToken ct)
    {
        if (rows.Count == 0) return [];
        await using var command = new NpgsqlCommand(SqlAppend, tx.Connection, tx);
        command.Parameters.AddWithValue(rows.Select(r => r.Stream.Name).ToArray());
        command.Parameters.AddWithValue(rows.Select(r => r.Key).ToArray());
        command.Parameters.AddWithValue(rows.Select(r => r.Payload).ToArray());
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await ReadAsync(reader, ct);
    }
}

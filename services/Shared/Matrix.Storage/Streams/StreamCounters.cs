using Matrix.Replication;
using Npgsql;
using NpgsqlTypes;

namespace Matrix.Storage.Streams;

/// <summary>
/// Takes positions. The update of <c>stream_counters</c> locks the stream until COMMIT, so positions are given out in the order of commits and a rollback
/// takes its own back: whoever sees position p sees every smaller one. Therefore: last statement of the transaction, one statement, streams in the order
/// of their names, many rows at once.
/// <para>
/// A store whose domain rows carry the position themselves writes both in one statement, after this pattern (autocommit: the lock is held for one round
/// trip at most):
/// <code>
/// with input as (select * from unnest($1::text[], $2::text[], $3::bytea[]) with ordinality as i (room_id, user_id, payload, ord)),
///      counter as (update stream_counters set pos = pos + (select count(*) from input) where stream = 'receipts' returning pos),
///      numbered as (select i.*, c.pos - (select count(*) from input) + i.ord as pos from input i, counter c),
///      domain as (insert into receipts (...) select ... from numbered on conflict (...) do update set ...),
///      log as (insert into stream_rows (stream, pos, ord, key, payload) select 'receipts', n.pos, 0, n.room_id, n.payload from numbered n)
/// select c.pos - (select count(*) from input), c.pos from counter c
/// </code>
/// Inputs that meet the same domain row twice in one statement fail ("cannot affect row a second time"): the caller keeps the last of each.
/// </para>
/// </summary>
public static class StreamCounters
{
    private const string SqlAppend =
        """
        with counter as (
            update stream_counters set pos = pos + cardinality($2::text[]) where stream = $1::text returning pos
        ), appended as (
            insert into stream_rows (stream, pos, ord, key, payload)
            select $1::text, c.pos - cardinality($2::text[]) + i.ord, 0, i.key, i.payload
            from counter c, unnest($2::text[], $3::bytea[]) with ordinality as i (key, payload, ord)
        )
        select c.pos - cardinality($2::text[]), c.pos from counter c
        """;

    /// <summary>
    /// Appends rows to a stream other than events, a position each, in one statement: part of <paramref name="transaction"/> (as its last statement),
    /// or by itself when null. Publish (From, To] after COMMIT. No rows: the position where the stream is, without locking it.
    /// </summary>
    public static async Task<(long From, long To)> AppendAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, StreamDefinition stream,
        IReadOnlyList<(string Key, ReadOnlyMemory<byte> Payload)> rows, CancellationToken ct)
    {
        if (stream.IsEphemeral || stream == Replication.Streams.Events)
            throw new ArgumentException($"Rows of stream {stream} are not kept in stream_rows.", nameof(stream));
        if (rows.Count == 0)
        {
            var position = await PositionAsync(connection, transaction, stream, ct);
            return (position, position);
        }
        await using var command = Command(connection, transaction, stream, rows);
        await using var reader = await command.ExecuteReaderAsync(ct);
        if (!await reader.ReadAsync(ct)) throw NoCounter(stream);
        return (reader.GetInt64(0), reader.GetInt64(1));
    }

    /// <summary>As a statement by itself.</summary>
    public static async Task<(long From, long To)> AppendAsync(
        Database database, StreamDefinition stream, IReadOnlyList<(string Key, ReadOnlyMemory<byte> Payload)> rows, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        return await AppendAsync(connection, null, stream, rows, ct);
    }

    /// <summary>The rows as the bus carries them, once their positions are known.</summary>
    public static IReadOnlyList<StreamRow> Number(long from, IReadOnlyList<(string Key, ReadOnlyMemory<byte> Payload)> rows)
    {
        var numbered = new StreamRow[rows.Count];
        for (var i = 0; i < numbered.Length; i++) numbered[i] = new StreamRow(from + 1 + i, rows[i].Key, rows[i].Payload);
        return numbered;
    }

    private static NpgsqlCommand Command(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, StreamDefinition stream, IReadOnlyList<(string Key, ReadOnlyMemory<byte> Payload)> rows)
    {
        var keys = new string[rows.Count];
        var payloads = new ReadOnlyMemory<byte>[rows.Count];
        for (var i = 0; i < keys.Length; i++) (keys[i], payloads[i]) = rows[i];
        return new NpgsqlCommand(SqlAppend, connection, transaction)
        {
            Parameters =
            {
                new NpgsqlParameter<string> { TypedValue = stream.Name },
                new NpgsqlParameter<string[]> { TypedValue = keys },
                new NpgsqlParameter<ReadOnlyMemory<byte>[]> { TypedValue = payloads, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea },
            },
        };
    }

    private static async Task<long> PositionAsync(
        NpgsqlConnection connection, NpgsqlTransaction? transaction, StreamDefinition stream, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(StreamSql.Position, connection, transaction) { Parameters = { new() { Value = stream.Name } } };
        return await command.ExecuteScalarAsync(ct) as long? ?? throw NoCounter(stream);
    }

    private static InvalidOperationException NoCounter(StreamDefinition stream) =>
        new($"Stream {stream} has no row in stream_counters; the migrator's checks print the cure.");
}

using System.Text.Json;
using Matrix.Replication;
using Matrix.Storage.Events;
using Npgsql;

namespace Matrix.Storage.Streams;

/// <summary>
/// The persistent streams as PostgreSQL holds them: stream events from <c>event_stream</c> and what it points to, every other from <c>stream_rows</c>.
/// An event that was redacted since is read in its redacted form.
/// </summary>
public sealed class StreamStore(Database database) : IStreamSource
{
    private const EventFlags NeverCurrent = EventFlags.Outlier | EventFlags.Rejected | EventFlags.SoftFailed | EventFlags.Superseded;

    public async Task<IReadOnlyDictionary<StreamDefinition, long>> GetPositionsAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(StreamSql.Positions);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var positions = new Dictionary<StreamDefinition, long>();
        while (await reader.ReadAsync(ct))
        {
            // A stream of a newer release is none of ours.
            if (Replication.Streams.Find(reader.GetString(0)) is { } stream) positions[stream] = reader.GetInt64(1);
        }
        return positions;
    }

    /// <summary>Throws <see cref="StreamRowsPrunedException"/> when rows after <paramref name="from"/> are no longer kept.</summary>
    public async Task<StreamPage> ReadAsync(StreamDefinition stream, long from, long to, int limit, CancellationToken ct)
    {
        if (stream.IsEphemeral) throw new ArgumentException($"Stream {stream} is not in the database.", nameof(stream));
        var isEvents = stream == Replication.Streams.Events;
        await using var command = database.Source.CreateCommand(isEvents ? StreamSql.ReadEvents : StreamSql.ReadRows);
        if (!isEvents) command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = stream.Name });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = from });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = to });
        command.Parameters.Add(new NpgsqlParameter<int> { TypedValue = limit });
        await using var reader = await command.ExecuteReaderAsync(ct);
        var rows = new List<StreamRow>();
        long end = 0;
        while (await reader.ReadAsync(ct))
        {
            end = Math.Min(to, reader.GetInt64(0));
            if (!await reader.IsDBNullAsync(1, ct) && from < reader.GetInt64(1)) throw new StreamRowsPrunedException(stream, from, reader.GetInt64(1));
            if (await reader.IsDBNullAsync(2, ct)) break;
            rows.Add(isEvents ? ReadEvent(reader) : new StreamRow(reader.GetInt64(2), reader.GetString(3), await reader.GetFieldValueAsync<byte[]>(4, ct)));
        }
        return new StreamPage(rows.Count >= limit ? rows[^1].Position : Math.Max(from, end), rows);
    }

    private static StreamRow ReadEvent(NpgsqlDataReader reader)
    {
        var flags = (EventFlags)reader.GetInt16(11);
        var stateKey = Text(10);
        var row = new EventRow
        {
            Position = reader.GetInt64(2), RoomNid = reader.GetInt64(3), EventNid = reader.GetInt64(4),
            RoomId = reader.GetString(5), EventId = reader.GetString(6), RoomVersion = reader.GetString(7),
            Type = reader.GetString(8), Sender = reader.GetString(9), StateKey = stateKey, Flags = flags, ReceivedTsMs = reader.GetInt64(12),
            TxnDeviceId = Text(13), TxnId = Text(14), ReplacesEventId = Text(15), PrevSender = Text(16),
            PrevContent = reader.IsDBNull(17) ? default : ContentOf(reader.GetFieldValue<byte[]>(17)),
            Redacts = Text(18), IsCurrentState = stateKey is not null && (flags & NeverCurrent) == 0,
            Json = reader.GetFieldValue<byte[]>(19), Moves = reader.IsDBNull(20) ? [] : ReadMoves(reader), ReadRoot = Text(28),
        };
        return new StreamRow(row.Position, row.RoomId, row.Encode());

        string? Text(int column) => reader.IsDBNull(column) ? null : reader.GetString(column);
    }

    private static StateMove[] ReadMoves(NpgsqlDataReader reader)
    {
        var (keys, befores, nows) = (reader.GetFieldValue<long[]>(20), reader.GetFieldValue<long[]>(21), reader.GetFieldValue<long[]>(22));
        var (types, stateKeys) = (reader.GetFieldValue<string[]>(23), reader.GetFieldValue<string[]>(24));
        var (ids, senders, members) = (reader.GetFieldValue<string?[]>(25), reader.GetFieldValue<string?[]>(26), reader.GetFieldValue<byte[]?[]>(27));
        var moves = new StateMove[keys.Length];
        for (var i = 0; i < moves.Length; i++)
            moves[i] = new StateMove(types[i], stateKeys[i], keys[i], befores[i], nows[i], ids[i], senders[i],
                members[i] is { } json ? MembershipOf(json) : null);
        return moves;
    }

    /// <summary>The member membership of the content.</summary>
    private static string? MembershipOf(byte[] json)
    {
        var content = ContentOf(json);
        if (content.IsEmpty) return null;
        var reader = new Utf8JsonReader(content.Span);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var found = reader.ValueTextEquals("membership"u8);
            reader.Read();
            if (found) return reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            reader.Skip();
        }
        return null;
    }

    /// <summary>The bytes of the member content; empty when there is none.</summary>
    internal static ReadOnlyMemory<byte> ContentOf(ReadOnlyMemory<byte> json)
    {
        var reader = new Utf8JsonReader(json.Span);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isContent = reader.ValueTextEquals("content"u8);
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            if (isContent) return json[start..(int)reader.BytesConsumed];
        }
        return default;
    }
}

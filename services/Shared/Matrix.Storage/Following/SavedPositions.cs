using Matrix.Replication;
using Npgsql;

namespace Matrix.Storage.Following;

/// <summary>Positions up to which a reader has done its work for good (table stream_cursors).</summary>
public sealed class SavedPositions(Database database)
{
    internal const string SqlLoad = "select stream, pos from stream_cursors where reader = $1";
    internal const string SqlRetained = "select stream, min_pos from stream_retained";
    internal const string SqlAdvance = "update stream_cursors set pos = $4 where reader = $1 and stream = $2 and pos = $3";
    internal const string SqlSet =
        "insert into stream_cursors (reader, stream, pos) values ($1, $2, $3) on conflict (reader, stream) do update set pos = excluded.pos";

    /// <summary>A reader that never saved has none.</summary>
    public async Task<Dictionary<StreamDefinition, long>> LoadAsync(string reader, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlLoad);
        command.Parameters.AddWithValue(reader);
        return await ReadAsync(command, ct);
    }

    /// <summary>Rows after this position are all there; streams that were never pruned are omitted.</summary>
    public async Task<Dictionary<StreamDefinition, long>> RetainedAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRetained);
        return await ReadAsync(command, ct);
    }

    /// <summary>Moves on together with the work that was done; false when another instance was faster: the transaction must not commit then.</summary>
    public static async Task<bool> AdvanceAsync(NpgsqlTransaction tx, string reader, StreamDefinition stream, long from, long to, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SqlAdvance, tx.Connection, tx);
        command.Parameters.AddWithValue(reader);
        command.Parameters.AddWithValue(stream.Name);
        command.Parameters.AddWithValue(from);
        command.Parameters.AddWithValue(to);
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    /// <summary>Starts a reader at a position, whatever it had before.</summary>
    public async Task SetAsync(string reader, StreamDefinition stream, long pos, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSet);
        command.Parameters.AddWithValue(reader);
        command.Parameters.AddWithValue(stream.Name);
        command.Parameters.AddWithValue(pos);
        await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<Dictionary<StreamDefinition, long>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var positions = new Dictionary<StreamDefinition, long>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) if (Replication.Streams.Find(r.GetString(0)) is { } stream) positions[stream] = r.GetInt64(1);
        return positions;
    }
}

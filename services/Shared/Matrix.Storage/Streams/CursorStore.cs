using Matrix.Replication;
using Npgsql;

namespace Matrix.Storage.Streams;

/// <summary>Positions up to which a duty has done its work, such as push:events; survive a restart.</summary>
public sealed class CursorStore(Database database)
{
    /// <summary>Null: this reader never saved one.</summary>
    public async Task<long?> GetAsync(string reader, StreamDefinition stream, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(StreamSql.GetCursor);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = reader });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = stream.Name });
        return await command.ExecuteScalarAsync(ct) as long?;
    }

    /// <summary>Saves, unless a later position is saved already. In <paramref name="transaction"/> when the work is done in one.</summary>
    public async Task SaveAsync(string reader, StreamDefinition stream, long position, NpgsqlTransaction? transaction, CancellationToken ct)
    {
        await using var command = transaction is null
            ? database.Source.CreateCommand(StreamSql.SaveCursor)
            : new NpgsqlCommand(StreamSql.SaveCursor, transaction.Connection, transaction);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = reader });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = stream.Name });
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = position });
        await command.ExecuteNonQueryAsync(ct);
    }
}

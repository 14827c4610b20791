using Npgsql;

namespace Matrix.Storage;

/// <summary>The PostgreSQL of this homeserver. One per process; stores take it, or a transaction of it.</summary>
public sealed class Database(NpgsqlDataSource source)
{
    public NpgsqlDataSource Source { get; } = source;

    /// <summary>Runs <paramref name="work"/> in a transaction and commits; rolls back when it throws. Read committed.</summary>
    public async Task<T> InTransactionAsync<T>(Func<NpgsqlTransaction, Task<T>> work, CancellationToken ct)
    {
        await using var connection = await Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        var result = await work(transaction);
        await transaction.CommitAsync(ct);
        return result;
    }
}

using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.AccountData;

/// <summary>What a fully-read marker did.</summary>
public enum MarkerResult { Moved, NotNewer, NotJoined, UnknownEvent }

/// <summary>
/// Account data of users, global (room id empty) and of rooms. Contents are JSON objects as clients sent them. A write that changes nothing makes no
/// stream row.
/// </summary>
public sealed partial class AccountDataStore(Database database)
{
    /// <summary>Null: never set, or deleted.</summary>
    public async Task<byte[]?> GetAsync(string userId, string roomId, string type, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlGet);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(type);
        return (byte[]?)await command.ExecuteScalarAsync(ct);
    }

    /// <summary>All of the user's account data of one room, by type.</summary>
    public async Task<List<(string Type, byte[] Content)>> OfRoomAsync(string userId, string roomId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlOfRoom);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(roomId);
        var all = new List<(string, byte[])>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) all.Add((r.GetString(0), r.GetFieldValue<byte[]>(1)));
        return all;
    }

    public async Task<IReadOnlyList<StreamBatch>> SetAsync(string userId, string roomId, string type, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSet);
        return await SetAsync(command, userId, roomId, type, content, ct);
    }

    /// <summary>Leaves an empty object in its place, which <c>/sync</c> tells. What is not there stays so.</summary>
    public async Task<IReadOnlyList<StreamBatch>> DeleteAsync(string userId, string roomId, string type, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDelete);
        return await SetAsync(command, userId, roomId, type, "{}"u8.ToArray(), ct);
    }

    /// <summary>
    /// Reads, changes and writes while no other instance can: <paramref name="change"/> gets the content (an empty object when there is none) and
    /// returns the new one, or null to leave it. It may be called once only and must not wait.
    /// </summary>
    public async Task<IReadOnlyList<StreamBatch>> UpdateAsync(
        string userId, string roomId, string type, Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>?> change, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        byte[] current;
        await using (var take = new NpgsqlCommand(SqlLock, connection, tx))
        {
            take.Parameters.AddWithValue(userId);
            take.Parameters.AddWithValue(roomId);
            take.Parameters.AddWithValue(type);
            current = (byte[])(await take.ExecuteScalarAsync(ct))!;
        }
        // Without a change the transaction is rolled back, and with it the row that the lock may have made.
        if (change(current) is not { } next) return [];
        await using var set = new NpgsqlCommand(SqlSet, connection, tx);
        var batches = await SetAsync(set, userId, roomId, type, next, ct);
        await tx.CommitAsync(ct);
        return batches;
    }

    private static async Task<IReadOnlyList<StreamBatch>> SetAsync(
        NpgsqlCommand command, string userId, string roomId, string type, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(type);
        command.Parameters.AddWithValue(content);
        command.Parameters.AddWithValue(new AccountDataRow(roomId, type).Encode());
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }

    /// <summary>Moves the user's m.fully_read of a room forward, never back: by the positions of the events in the stream.</summary>
    public async Task<(MarkerResult Result, IReadOnlyList<StreamBatch> Batches)> SetFullyReadAsync(
        string userId, string roomId, string eventId, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        var move = new NpgsqlBatchCommand(SqlSetFullyRead);
        move.Parameters.AddWithValue(userId);
        move.Parameters.AddWithValue(roomId);
        move.Parameters.AddWithValue(eventId);
        move.Parameters.AddWithValue(content);
        move.Parameters.AddWithValue(new AccountDataRow(roomId, "m.fully_read").Encode());
        batch.BatchCommands.Add(move);
        var why = new NpgsqlBatchCommand(SqlMarkerFacts);
        why.Parameters.AddWithValue(userId);
        why.Parameters.AddWithValue(roomId);
        why.Parameters.AddWithValue(eventId);
        batch.BatchCommands.Add(why);
        await using var r = await batch.ExecuteReaderAsync(ct);
        var batches = await StreamStatement.ReadAsync(r, ct);
        await r.NextResultAsync(ct);
        await r.ReadAsync(ct);
        var result = batches.Count > 0 ? MarkerResult.Moved
            : !r.GetBoolean(0) ? MarkerResult.NotJoined
            : !r.GetBoolean(1) ? MarkerResult.UnknownEvent : MarkerResult.NotNewer;
        return (result, batches);
    }
}

using Npgsql;

namespace Matrix.Storage.Keys;

/// <param name="AuthData">JSON as uploaded.</param>
/// <param name="Etag">Moves with every change of the keys.</param>
public sealed record KeyBackup(long Version, string Algorithm, byte[] AuthData, long Etag, long Count);

/// <param name="Data">JSON as uploaded.</param>
public sealed record BackedUpKey(string RoomId, string SessionId, long FirstMessageIndex, long ForwardedCount, bool IsVerified, byte[] Data);

/// <summary>Keys of rooms that clients keep here, encrypted for themselves. A backup has versions; only the newest is written to.</summary>
public sealed partial class KeyBackupStore(Database database)
{
    public async Task<long> CreateAsync(string userId, string algorithm, byte[] authData, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        Add(batch, SqlLockUser, userId);
        Add(batch, SqlCreate, userId, algorithm, authData);
        await using var r = await batch.ExecuteReaderAsync(ct);
        await r.NextResultAsync(ct);
        await r.ReadAsync(ct);
        return r.GetInt64(0);
    }

    /// <param name="version">Null: the newest.</param>
    /// <returns>Null: there is none, or not any more.</returns>
    public async Task<KeyBackup?> FindAsync(string userId, long? version, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        AddFind(batch, userId, version);
        await using var r = await batch.ExecuteReaderAsync(ct);
        return await ReadAsync(r, ct);
    }

    private static void AddFind(NpgsqlBatch batch, string userId, long? version) =>
        Add(batch, SqlFind, userId).Parameters.Add(StoreParameters.BigInt(version));

    private static async Task<KeyBackup?> ReadAsync(NpgsqlDataReader r, CancellationToken ct) => !await r.ReadAsync(ct) ? null
        : new KeyBackup(r.GetInt64(0), r.GetString(1), r.GetFieldValue<byte[]>(2), r.GetInt64(3), r.GetInt64(4));

    public async Task SetAuthDataAsync(string userId, long version, byte[] authData, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        Add(batch, SqlSetAuthData, userId, version, authData);
        await batch.ExecuteNonQueryAsync(ct);
    }

    /// <summary>False: there is no such version.</summary>
    public async Task<bool> DeleteAsync(string userId, long version, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        Add(batch, SqlDelete, userId, version);
        return await batch.ExecuteScalarAsync(ct) is not null;
    }

    /// <summary>Stores what is better than what is there; one round trip.</summary>
    /// <returns>The newest backup, null: there is none; and the one that was asked for, null: it does not exist. Written only if they are the same.</returns>
    public async Task<(KeyBackup? Newest, KeyBackup? Asked)> PutAsync(string userId, long version, IReadOnlyCollection<BackedUpKey> keys, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        Add(batch, SqlLockNewest, userId);
        Add(batch, SqlPut, userId, version,
            keys.Select(k => k.RoomId).ToArray(), keys.Select(k => k.SessionId).ToArray(), keys.Select(k => k.FirstMessageIndex).ToArray(),
            keys.Select(k => k.ForwardedCount).ToArray(), keys.Select(k => k.IsVerified).ToArray(), keys.Select(k => k.Data).ToArray());
        AddFind(batch, userId, null);
        AddFind(batch, userId, version);
        await using var r = await batch.ExecuteReaderAsync(ct);
        await r.NextResultAsync(ct);
        await r.NextResultAsync(ct);
        var newest = await ReadAsync(r, ct);
        await r.NextResultAsync(ct);
        return (newest, await ReadAsync(r, ct));
    }

    /// <param name="roomId">Null: of all rooms.</param>
    /// <param name="sessionId">Null: all sessions of the room.</param>
    /// <returns>Null: there is no such version.</returns>
    public async Task<List<BackedUpKey>?> GetAsync(string userId, long version, string? roomId, string? sessionId, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        AddFind(batch, userId, version);
        AddSelection(batch, SqlGet, userId, version, roomId, sessionId);
        await using var r = await batch.ExecuteReaderAsync(ct);
        if (await ReadAsync(r, ct) is null) return null;
        await r.NextResultAsync(ct);
        var keys = new List<BackedUpKey>();
        while (await r.ReadAsync(ct))
            keys.Add(new(r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetBoolean(4), r.GetFieldValue<byte[]>(5)));
        return keys;
    }

    /// <summary>Removes keys, as <see cref="GetAsync"/> finds them. Null: there is no such version.</summary>
    public async Task<KeyBackup?> DeleteKeysAsync(string userId, long version, string? roomId, string? sessionId, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        Add(batch, SqlLockVersion, userId, version);
        AddSelection(batch, SqlDeleteSessions, userId, version, roomId, sessionId);
        AddFind(batch, userId, version);
        await using var r = await batch.ExecuteReaderAsync(ct);
        await r.NextResultAsync(ct);
        return await ReadAsync(r, ct);
    }

    private static void AddSelection(NpgsqlBatch batch, string sql, string userId, long version, string? roomId, string? sessionId)
    {
        var command = Add(batch, sql, userId, version);
        command.Parameters.Add(StoreParameters.Text(roomId));
        command.Parameters.Add(StoreParameters.Text(sessionId));
    }

    private static NpgsqlBatchCommand Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<object> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters) command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        batch.BatchCommands.Add(command);
        return command;
    }
}

using Npgsql;

namespace Matrix.Storage.Keys;

/// <param name="Data">JSON as uploaded.</param>
public sealed record DehydratedDevice(string DeviceId, byte[] Data);

/// <summary>
/// Dehydrated devices: keys that a client leaves here, encrypted for itself, so that messages reach the user while he has no device. It is a device
/// without tokens; what a device has, and what becomes of it, holds for it as well.
/// </summary>
public sealed partial class DeviceKeyStore
{
    /// <remarks>The one before goes, with its keys and messages.</remarks>
    internal const string SqlDropDehydrated =
        """
        with old as (select device_id from dehydrated_devices where user_id = $1),
        messages as (delete from to_device_messages where user_id = $1 and device_id in (select device_id from old))
        delete from devices where user_id = $1 and device_id in (select device_id from old)
        """;
    internal const string SqlAddDehydrated =
        """
        with device as (
            insert into devices (user_id, device_id, display_name, created_ts_ms) values ($1, $2, $3, $4)
            on conflict (user_id, device_id) do nothing returning device_id)
        insert into dehydrated_devices (user_id, device_id, device_data) select $1, d.device_id, $5 from device d
        """;
    internal const string SqlDehydrated = "select device_id, device_data from dehydrated_devices where user_id = $1";

    /// <summary>In place of the one before. Null: another device of the user is called so; nothing was written.</summary>
    public async Task<KeyUploadResult?> DehydrateAsync(KeyUpload upload, string? displayName, byte[] data, int most, long nowMs, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        await using (var batch = new NpgsqlBatch(connection, transaction))
        {
            Add(batch, CrossSigningStore.SqlLock, upload.UserId);
            Add(batch, SqlDropDehydrated, upload.UserId);
            await batch.ExecuteNonQueryAsync(ct);
        }
        await using var add = new NpgsqlCommand(SqlAddDehydrated, connection, transaction);
        add.Parameters.AddWithValue(upload.UserId);
        add.Parameters.AddWithValue(upload.DeviceId);
        add.Parameters.Add(StoreParameters.Text(displayName));
        add.Parameters.AddWithValue(nowMs);
        add.Parameters.AddWithValue(data);
        if (await add.ExecuteNonQueryAsync(ct) == 0) return null;
        KeyUploadResult result;
        await using (var batch = new NpgsqlBatch(connection, transaction))
        {
            AddUpload(batch, upload, most, nowMs);
            await using var r = await batch.ExecuteReaderAsync(ct);
            result = await ReadUploadAsync(r, upload, most, ct);
        }
        if (result.Fault == KeyUploadFault.None) await transaction.CommitAsync(ct);
        return result;
    }

    /// <summary>Null: the user has none.</summary>
    public async Task<DehydratedDevice?> FindDehydratedAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDehydrated);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? new DehydratedDevice(r.GetString(0), r.GetFieldValue<byte[]>(1)) : null;
    }
}

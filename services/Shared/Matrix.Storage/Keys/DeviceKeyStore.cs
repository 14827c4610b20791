using Matrix.Replication;
using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Keys;

/// <summary>Keys of the devices of this server's users.</summary>
public sealed partial class DeviceKeyStore(Database database)
{
    private static readonly TimeSpan ClaimedFor = TimeSpan.FromDays(7);

    /// <summary>All or nothing; one round trip.</summary>
    /// <param name="most">One-time keys that a device may have.</param>
    public async Task<KeyUploadResult> UploadAsync(KeyUpload upload, int most, long nowMs, CancellationToken ct)
    {
        // Without an explicit transaction a batch is one transaction.
        await using var batch = database.Source.CreateBatch();
        AddUpload(batch, upload, most, nowMs);
        await using var r = await batch.ExecuteReaderAsync(ct);
        return await ReadUploadAsync(r, upload, most, ct);
    }

    private static void AddUpload(NpgsqlBatch batch, KeyUpload upload, int most, long nowMs)
    {
        var (user, device) = (upload.UserId, upload.DeviceId);
        var keys = new object[] { user, device, Algorithms(upload.OneTimeKeys), Ids(upload.OneTimeKeys), Values(upload.OneTimeKeys) };
        Add(batch, SqlLock, user, device);
        Add(batch, SqlForgetClaimed, user, device, nowMs - (long)ClaimedFor.TotalMilliseconds);
        Add(batch, SqlCheck, keys);
        var write = Add(batch, SqlUpload, keys);
        write.Parameters.Add(StoreParameters.Bytes(upload.DeviceKeys));
        write.Parameters.Add(StoreParameters.Bytes(upload.SignedHash));
        Give(write, Algorithms(upload.FallbackKeys), Ids(upload.FallbackKeys), Values(upload.FallbackKeys), (long)most,
            new DeviceListRow(device).Encode(), new ToDeviceRow(device, KeysChanged: true).Encode());
        Add(batch, SqlCounts, user, device);
    }

    private static async Task<KeyUploadResult> ReadUploadAsync(NpgsqlDataReader r, KeyUpload upload, int most, CancellationToken ct)
    {
        var fault = await r.ReadAsync(ct) ? KeyUploadFault.None : KeyUploadFault.NoDevice;
        await r.NextResultAsync(ct);
        await r.ReadAsync(ct);
        var replaced = r.IsDBNull(1) ? null : $"{r.GetString(1)}:{r.GetString(2)}";
        if (fault == KeyUploadFault.None && replaced is not null) fault = KeyUploadFault.KeyReplaced;
        if (fault == KeyUploadFault.None && r.GetInt64(0) + upload.OneTimeKeys.Count > most) fault = KeyUploadFault.TooMany;
        await r.NextResultAsync(ct);
        var batches = await StreamStatement.ReadAsync(r, ct);
        await r.NextResultAsync(ct);
        return new KeyUploadResult(fault, replaced, await CountsAsync(r, ct), batches);
    }

    private static string[] Algorithms(IReadOnlyList<NewKey> keys) => [.. keys.Select(k => k.Algorithm)];
    private static string[] Ids(IReadOnlyList<NewKey> keys) => [.. keys.Select(k => k.KeyId)];
    private static byte[][] Values(IReadOnlyList<NewKey> keys) => [.. keys.Select(k => k.Key)];

    private static async Task<List<KeyValuePair<string, long>>> CountsAsync(NpgsqlDataReader r, CancellationToken ct)
    {
        var counts = new List<KeyValuePair<string, long>>();
        while (await r.ReadAsync(ct)) counts.Add(new(r.GetString(0), r.GetInt64(1)));
        return counts;
    }

    public async Task<DeviceKeyCounts> CountsAsync(string userId, string deviceId, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        Add(batch, SqlCounts, userId, deviceId);
        Add(batch, SqlUnusedFallback, userId, deviceId);
        await using var r = await batch.ExecuteReaderAsync(ct);
        var counts = await CountsAsync(r, ct);
        await r.NextResultAsync(ct);
        var unused = new List<string>();
        while (await r.ReadAsync(ct)) unused.Add(r.GetString(0));
        return new DeviceKeyCounts(counts, unused);
    }

    /// <summary>One key for each wish, where there is one; each one-time key is given once. A device and algorithm must be named once.</summary>
    public async Task<(List<ClaimedKey> Keys, IReadOnlyList<StreamBatch> Batches)> ClaimAsync(
        IReadOnlyCollection<KeyWish> wishes, long nowMs, CancellationToken ct)
    {
        var keys = new List<ClaimedKey>(wishes.Count);
        if (wishes.Count == 0) return (keys, []);
        await using var command = database.Source.CreateCommand(SqlClaim);
        command.Parameters.AddWithValue(wishes.Select(w => w.UserId).ToArray());
        command.Parameters.AddWithValue(wishes.Select(w => w.DeviceId).ToArray());
        command.Parameters.AddWithValue(wishes.Select(w => w.Algorithm).ToArray());
        command.Parameters.AddWithValue(nowMs);
        var rows = new List<StreamRow>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            if (r.IsDBNull(5)) keys.Add(new(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetFieldValue<byte[]>(4)));
            else rows.Add(new StreamRow(r.GetInt64(5), r.GetString(0), r.GetFieldValue<byte[]>(4)));
        }
        return (keys, rows.Count == 0 ? [] : [new StreamBatch(Replication.Streams.ToDevice, rows[0].Position - 1, rows[0].Position, rows)]);
    }

    /// <summary>What <paramref name="asking"/> may see of those users' keys; one round trip.</summary>
    /// <param name="signedUsers">
    /// Users of other servers: nothing of theirs is here but what <paramref name="asking"/> has signed.
    /// </param>
    public async Task<StoredKeys> QueryAsync(
        IReadOnlyCollection<DeviceWish> wishes, IReadOnlyCollection<string> signedUsers, string asking, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        var users = wishes.Select(w => w.UserId).Distinct().ToArray();
        Add(batch, SqlDevices, wishes.Select(w => w.UserId).ToArray(), wishes.Select(w => w.DeviceId).ToArray());
        Add(batch, SqlCrossSigning, users, asking);
        Add(batch, SqlMasterSignatures, users.Concat(signedUsers).ToArray(), asking);
        await using var r = await batch.ExecuteReaderAsync(ct);
        var found = new StoredKeys([], [], []);
        while (await r.ReadAsync(ct))
            found.Devices.Add(new(r.GetString(0), r.GetString(1), r.GetFieldValue<byte[]>(2), r.IsDBNull(3) ? null : r.GetString(3), Signatures(r)));
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct)) found.CrossSigning.Add(new(r.GetString(0), r.GetString(1), r.GetString(2), r.GetFieldValue<byte[]>(3)));
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct))
            found.MasterSignatures.Add(new(r.GetString(0), r.GetString(1), r.GetString(2), new(r.GetString(3), r.GetString(4))));
        return found;
    }

    /// <summary>Grows with each change of the user's list of devices: the position of the last one.</summary>
    public async Task<long> DeviceListVersionAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDeviceListVersion);
        command.Parameters.AddWithValue(userId);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    private static KeySignature[] Signatures(NpgsqlDataReader r)
    {
        if (r.IsDBNull(4)) return [];
        var (ids, values) = (r.GetFieldValue<string[]>(4), r.GetFieldValue<string[]>(5));
        return [.. ids.Zip(values, (id, value) => new KeySignature(id, value))];
    }

    private static NpgsqlBatchCommand Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<object> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        Give(command, parameters);
        batch.BatchCommands.Add(command);
        return command;
    }

    private static void Give(NpgsqlBatchCommand command, params ReadOnlySpan<object> parameters)
    {
        foreach (var parameter in parameters) command.Parameters.Add(new NpgsqlParameter { Value = parameter });
    }
}

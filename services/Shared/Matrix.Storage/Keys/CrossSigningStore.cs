using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Keys;

/// <param name="Usage">master, self_signing or user_signing.</param>
/// <param name="PublicKey">Unpadded base64.</param>
/// <param name="Keys">Canonical JSON.</param>
public sealed record NewCrossSigningKey(string Usage, string PublicKey, byte[] Keys);

/// <param name="SignedHash">Of the device's keys that were signed.</param>
public sealed record NewDeviceSignature(string DeviceId, KeySignature Signature, byte[] SignedHash);

public sealed record NewMasterSignature(string TargetUserId, string TargetKey, KeySignature Signature);

/// <summary>Keys that sign keys, and what they have signed.</summary>
public sealed partial class CrossSigningStore(Database database)
{
    public async Task<List<StoredCrossSigningKey>> KeysAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlKeys);
        command.Parameters.AddWithValue(userId);
        var keys = new List<StoredCrossSigningKey>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) keys.Add(new(r.GetString(0), r.GetString(1), r.GetString(2), r.GetFieldValue<byte[]>(3)));
        return keys;
    }

    /// <summary>True: one of those is the id of a device of the user.</summary>
    public async Task<bool> AnyDeviceIsAsync(string userId, IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDeviceIds);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(ids.ToArray());
        return await command.ExecuteScalarAsync(ct) is not null;
    }

    /// <summary>Null: the user's master key is not <paramref name="seenMaster"/> any more; nothing was written.</summary>
    public async Task<IReadOnlyList<StreamBatch>?> ReplaceAsync(
        string userId, IReadOnlyList<NewCrossSigningKey> keys, string? seenMaster, CancellationToken ct)
    {
        // The user-signing key is nobody else's business.
        var forAll = keys.Any(k => k.Usage != "user_signing");
        await using var batch = database.Source.CreateBatch();
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlLock) { Parameters = { new() { Value = userId } } });
        var write = new NpgsqlBatchCommand(SqlReplace);
        foreach (var value in new object[] { userId, keys.Select(k => k.Usage).ToArray(), keys.Select(k => k.PublicKey).ToArray(), keys.Select(k => k.Keys).ToArray() })
            write.Parameters.Add(new NpgsqlParameter { Value = value });
        write.Parameters.Add(StoreParameters.Text(seenMaster));
        write.Parameters.Add(StoreParameters.Bytes(forAll ? new DeviceListRow(null).Encode() : null));
        write.Parameters.Add(StoreParameters.Bytes(forAll ? null : new DeviceListRow(null, About: userId).Encode()));
        batch.BatchCommands.Add(write);
        await using var r = await batch.ExecuteReaderAsync(ct);
        await r.NextResultAsync(ct);
        var batches = await StreamStatement.ReadAsync(r, ct);
        return batches.Count == 0 ? null : batches;
    }

    /// <summary>Signatures by this user's keys and devices; they have been verified.</summary>
    public async Task<IReadOnlyList<StreamBatch>> SignAsync(
        string userId, IReadOnlyList<NewDeviceSignature> devices, IReadOnlyList<NewMasterSignature> masters, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSign);
        var others = masters.Select(m => m.TargetUserId).Distinct().ToArray();
        object[] values =
        [
            userId,
            devices.Select(d => d.DeviceId).ToArray(), devices.Select(d => d.Signature.KeyId).ToArray(),
            devices.Select(d => d.Signature.Signature).ToArray(), devices.Select(d => d.SignedHash).ToArray(),
            masters.Select(m => m.TargetUserId).ToArray(), masters.Select(m => m.TargetKey).ToArray(),
            masters.Select(m => m.Signature.KeyId).ToArray(), masters.Select(m => m.Signature.Signature).ToArray(),
            new DeviceListRow(devices.Count == 1 && masters.Count == 0 ? devices[0].DeviceId : null).Encode(),
            others, others.Select(u => new DeviceListRow(null, About: u).Encode()).ToArray(),
        ];
        foreach (var value in values) command.Parameters.AddWithValue(value);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(r, ct);
    }
}

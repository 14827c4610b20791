namespace Matrix.Storage.Accounts;

/// <summary>When the user of a device last proved, with it, who he is.</summary>
public sealed class DeviceProofStore(Database database)
{
    internal const string SqlFind = "select proved_ts_ms from devices where user_id = $1 and device_id = $2";
    internal const string SqlSet = "update devices set proved_ts_ms = $3 where user_id = $1 and device_id = $2";

    /// <summary>Milliseconds; null: never.</summary>
    public async Task<long?> FindAsync(string userId, string deviceId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        return await command.ExecuteScalarAsync(ct) is long ts ? ts : null;
    }

    public async Task SetAsync(string userId, string deviceId, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSet);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }
}

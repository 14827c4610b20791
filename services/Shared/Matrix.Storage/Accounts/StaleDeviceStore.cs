namespace Matrix.Storage.Accounts;

public sealed record StaleDevice(string UserId, string DeviceId);

/// <summary>Devices that nobody has used for long. Those that were never heard of (dehydrated ones, those of application services) are none.</summary>
public sealed class StaleDeviceStore(Database database)
{
    internal const string SqlFind = "select user_id, device_id from devices where last_seen_ts_ms < $1 order by user_id limit $2";

    public async Task<List<StaleDevice>> FindAsync(long beforeMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(beforeMs);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        var stale = new List<StaleDevice>();
        while (await r.ReadAsync(ct)) stale.Add(new(r.GetString(0), r.GetString(1)));
        return stale;
    }
}

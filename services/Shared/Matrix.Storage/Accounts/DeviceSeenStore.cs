namespace Matrix.Storage.Accounts;

/// <summary>When and from where a device was last heard.</summary>
public sealed record DeviceSeen(string UserId, string DeviceId, long TsMs, string Ip, string? UserAgent);

/// <summary>Writes where devices were last seen, many at once.</summary>
public sealed class DeviceSeenStore(Database database)
{
    // In the order of the keys: two instances that write the same devices at the same time do not wait for each other in a circle.
    internal const string SqlSave =
        """
        with seen as (
            select d.ctid as row, s.ts, s.ip, s.agent
            from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[]) as s(user_id, device_id, ts, ip, agent)
            join devices d on d.user_id = s.user_id and d.device_id = s.device_id
            where d.last_seen_ts_ms is null or d.last_seen_ts_ms < s.ts
            order by d.user_id, d.device_id for update of d)
        update devices d set last_seen_ts_ms = s.ts, last_seen_ip = s.ip, last_seen_user_agent = s.agent from seen s where d.ctid = s.row
        """;

    /// <summary>What is older than what is there changes nothing; devices that are gone are left out.</summary>
    public async Task SaveAsync(IReadOnlyCollection<DeviceSeen> seen, CancellationToken ct)
    {
        if (seen.Count == 0) return;
        await using var command = database.Source.CreateCommand(SqlSave);
        command.Parameters.AddWithValue(seen.Select(s => s.UserId).ToArray());
        command.Parameters.AddWithValue(seen.Select(s => s.DeviceId).ToArray());
        command.Parameters.AddWithValue(seen.Select(s => s.TsMs).ToArray());
        command.Parameters.AddWithValue(seen.Select(s => s.Ip).ToArray());
        command.Parameters.AddWithValue(seen.Select(s => s.UserAgent).ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }
}

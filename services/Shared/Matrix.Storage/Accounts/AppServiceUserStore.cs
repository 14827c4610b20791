namespace Matrix.Storage.Accounts;

/// <summary>An account as whom an application service acts.</summary>
public sealed record AppServiceUserRecord(bool IsAdmin, bool Deactivated, bool Locked, bool Suspended, bool ShadowBanned, RateOverride? RateOverride);

/// <summary>What is asked about users in whose name application services act.</summary>
public sealed class AppServiceUserStore(Database database)
{
    internal const string SqlFind =
        """
        select u.is_admin, u.deactivated, u.locked, u.suspended, u.shadow_banned, o.messages_per_second, o.burst_count
        from users u left join ratelimit_overrides o using (user_id) where u.user_id = $1
        """;
    internal const string SqlHasDevice = "select exists (select 1 from devices where user_id = $1 and device_id = $2)";

    /// <summary>Null: there is no such account.</summary>
    public async Task<AppServiceUserRecord?> FindAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct)
            ? new(r.GetBoolean(0), r.GetBoolean(1), r.GetBoolean(2), r.GetBoolean(3), r.GetBoolean(4), r.IsDBNull(5) ? null : new(r.GetInt32(5), r.GetInt32(6)))
            : null;
    }

    public async Task<bool> HasDeviceAsync(string userId, string deviceId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlHasDevice);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }
}

namespace Matrix.Storage.Accounts;

/// <param name="Active">Users who are counted.</param>
/// <param name="IsLetIn">The user asked about is counted already, is never counted, or was reserved a place.</param>
public sealed record UsageRecord(long Active, bool IsLetIn, bool IsAdmin);

/// <summary>
/// Who uses the server: users with a device that was made or seen in a span of time. Synapse: neither guests nor users of application services nor support
/// accounts count, and nobody in his trial.
/// </summary>
public sealed class UsageStore(Database database)
{
    private const string Real = " u.appservice_id is null and u.user_type is distinct from 'support' and not u.is_guest and not u.deactivated ";
    /// <remarks>$1: since when, milliseconds; $2: length of the trial.</remarks>
    private const string IsActive =
        """
         exists (
            select 1 from devices d where d.user_id = u.user_id
                and greatest(coalesce(d.last_seen_ts_ms, 0), d.created_ts_ms) >= greatest($1::bigint, u.created_ts_ms + $2::bigint))
        """;

    internal const string SqlAsk =
        "select (select count(*) from users u where" + Real + "and" + IsActive + "), " +
        """
        exists (
            select 1 from users u where u.user_id = $3 and (
        """ + " not (" + Real + ") or " + IsActive +
        """
             or u.created_ts_ms + $2 > $6::bigint and $2 > 0
             or exists (select 1 from user_threepids t join unnest($4::text[], $5::text[]) as r(medium, address) on r.medium = t.medium and r.address = t.address
                where t.user_id = u.user_id))),
        exists (select 1 from users u where u.user_id = $3 and u.is_admin)
        """;

    /// <summary>Active users who have not been told that the server is full.</summary>
    internal const string SqlUnwarned =
        "select u.user_id from users u left join server_notice_rooms n using (user_id) where u.user_id > $3 and n.usage_event_id is null and" + Real + "and" + IsActive +
        " order by u.user_id limit $4";
    internal const string SqlWarned = "select user_id, room_id from server_notice_rooms where user_id > $1 and usage_event_id is not null order by user_id limit $2";
    internal const string SqlSetWarning = "update server_notice_rooms set usage_event_id = $2 where user_id = $1";

    /// <summary>Active users who have agreed to another version of the policy, or to none, and were not asked to agree to this one.</summary>
    internal const string SqlUnasked =
        """
        select u.user_id from users u left join server_notice_rooms n using (user_id)
        where u.user_id > $1 and u.consent_version is distinct from $2 and n.consent_version is distinct from $2 and (not u.is_guest or $3)
            and not u.deactivated and u.appservice_id is null and u.user_type is null
            and exists (select 1 from devices d where d.user_id = u.user_id and greatest(coalesce(d.last_seen_ts_ms, 0), d.created_ts_ms) >= $4)
        order by u.user_id limit $5
        """;
    internal const string SqlSetAsked = "update server_notice_rooms set consent_version = $2 where user_id = $1";

    /// <param name="userId">Null: somebody new.</param>
    public async Task<UsageRecord> AskAsync(
        string? userId, long sinceMs, long trialMs, long nowMs, IReadOnlyCollection<(string Medium, string Address)> reserved, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAsk);
        command.Parameters.AddWithValue(sinceMs);
        command.Parameters.AddWithValue(trialMs);
        command.Parameters.Add(StoreParameters.Text(userId));
        command.Parameters.AddWithValue(reserved.Select(r => r.Medium).ToArray());
        command.Parameters.AddWithValue(reserved.Select(r => r.Address).ToArray());
        command.Parameters.AddWithValue(nowMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        await r.ReadAsync(ct);
        return new(r.GetInt64(0), r.GetBoolean(1), r.GetBoolean(2));
    }

    /// <summary>In the order of their ids.</summary>
    public async Task<List<string>> UnwarnedAsync(string after, long sinceMs, long trialMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUnwarned);
        command.Parameters.AddWithValue(sinceMs);
        command.Parameters.AddWithValue(trialMs);
        command.Parameters.AddWithValue(after);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        var users = new List<string>();
        while (await r.ReadAsync(ct)) users.Add(r.GetString(0));
        return users;
    }

    public async Task<List<(string UserId, string RoomId)>> WarnedAsync(string after, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlWarned);
        command.Parameters.AddWithValue(after);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        var users = new List<(string, string)>();
        while (await r.ReadAsync(ct)) users.Add((r.GetString(0), r.GetString(1)));
        return users;
    }

    /// <param name="eventId">Null: the notice is taken down.</param>
    public Task SetWarningAsync(string userId, string? eventId, CancellationToken ct) => SetAsync(SqlSetWarning, userId, eventId, ct);

    public async Task<List<string>> UnaskedAsync(string after, string version, bool guestsToo, long sinceMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUnasked);
        command.Parameters.AddWithValue(after);
        command.Parameters.AddWithValue(version);
        command.Parameters.AddWithValue(guestsToo);
        command.Parameters.AddWithValue(sinceMs);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        var users = new List<string>();
        while (await r.ReadAsync(ct)) users.Add(r.GetString(0));
        return users;
    }

    public Task SetAskedAsync(string userId, string version, CancellationToken ct) => SetAsync(SqlSetAsked, userId, version, ct);

    private async Task SetAsync(string sql, string userId, string? value, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(userId);
        command.Parameters.Add(StoreParameters.Text(value));
        await command.ExecuteNonQueryAsync(ct);
    }
}

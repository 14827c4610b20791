namespace Matrix.Storage.Accounts;

/// <summary>Accounts that are closed and still have rooms to leave.</summary>
public sealed class DeactivationStore(Database database)
{
    /// <remarks>Whoever takes one has it for a while, twice as long each time, up to an hour: two instances do not do it at once.</remarks>
    internal const string SqlTake =
        """
        update deactivations set tries = tries + 1, next_try_ts_ms = $1 + least(60000::bigint << least(tries, 6), 3600000)
        where user_id in (select user_id from deactivations where next_try_ts_ms <= $1 order by next_try_ts_ms limit $2 for update skip locked)
        returning user_id
        """;
    internal const string SqlDone = "delete from deactivations where user_id = $1";

    public async Task<List<string>> TakeDueAsync(long nowMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlTake);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        var users = new List<string>();
        while (await r.ReadAsync(ct)) users.Add(r.GetString(0));
        return users;
    }

    /// <summary>All rooms are left.</summary>
    public async Task DoneAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDone);
        command.Parameters.AddWithValue(userId);
        await command.ExecuteNonQueryAsync(ct);
    }
}

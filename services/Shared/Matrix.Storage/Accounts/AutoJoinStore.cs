using Npgsql;

namespace Matrix.Storage.Accounts;

/// <summary>Whether and when a new account is joined to the rooms that everybody is in.</summary>
public enum AutoJoinTime { Never, AtOnce, AfterConsent }

/// <param name="IsFirst">The first real user of this server.</param>
public sealed record AutoJoin(string UserId, bool IsFirst, int Tries);

/// <summary>
/// New accounts that have rooms to be joined to. The row is written with the account, and by <see cref="ConsentStore"/> made due; whoever
/// does that has a minute to do the rest himself before another does.
/// </summary>
public sealed class AutoJoinStore(Database database)
{
    internal const string SqlFind = "select user_id, is_first, tries from auto_joins where user_id = $1 and next_try_ts_ms is not null";
    /// <remarks>Whoever takes one has it for a while, twice as long each time, up to an hour: two instances do not do it at once.</remarks>
    internal const string SqlTake =
        """
        update auto_joins set tries = tries + 1, next_try_ts_ms = $1 + least(60000::bigint << least(tries, 6), 3600000)
        where user_id in (select user_id from auto_joins where next_try_ts_ms <= $1 order by next_try_ts_ms limit $2 for update skip locked)
        returning user_id, is_first, tries
        """;
    internal const string SqlIsMaking = "select exists (select 1 from auto_joins where is_first and next_try_ts_ms is not null)";
    internal const string SqlDone = "delete from auto_joins where user_id = $1";

    /// <summary>Null: nothing is to be done, or not before he has agreed to the policy.</summary>
    public async Task<AutoJoin?> FindAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        return (await ReadAsync(command, ct)).FirstOrDefault();
    }

    public async Task<List<AutoJoin>> TakeDueAsync(long nowMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlTake);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(limit);
        return await ReadAsync(command, ct);
    }

    /// <summary>Whether the first user's account is still at it: rooms that are missing may come.</summary>
    public async Task<bool> IsMakingAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlIsMaking);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    public async Task DoneAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDone);
        command.Parameters.AddWithValue(userId);
        await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<List<AutoJoin>> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var r = await command.ExecuteReaderAsync(ct);
        var all = new List<AutoJoin>();
        while (await r.ReadAsync(ct)) all.Add(new(r.GetString(0), r.GetBoolean(1), r.GetInt32(2)));
        return all;
    }
}

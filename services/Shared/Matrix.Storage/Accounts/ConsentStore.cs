using Matrix.Storage.Streams;

namespace Matrix.Storage.Accounts;

/// <summary>Which version of the policy users agreed to.</summary>
public sealed class ConsentStore(Database database)
{
    internal const string SqlFind = "select consent_version from users where user_id = $1 and not deactivated";
    internal const string SqlSet =
        """
        with changed as (
            update users set consent_version = $2, consent_ts_ms = $3 where user_id = $1 and not deactivated returning user_id),
        may_join as (
            update auto_joins a set next_try_ts_ms = $3 + 60000 from changed c where a.user_id = c.user_id and a.next_try_ts_ms is null),
        stream_input as (select 'caches'::text as stream, 'user:' || c.user_id as key, ''::bytea as payload from changed c)
        """ + StreamStatement.Tail;

    /// <summary>Not known: there is no such account. Version null: he agreed to none.</summary>
    public async Task<(bool IsKnown, string? Version)> FindAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? (true, r.IsDBNull(0) ? null : r.GetString(0)) : (false, null);
    }

    /// <summary>Nothing: there is no such account.</summary>
    public async Task<IReadOnlyList<StreamBatch>> SetAsync(string userId, string version, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSet);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(version);
        command.Parameters.AddWithValue(nowMs);
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }
}

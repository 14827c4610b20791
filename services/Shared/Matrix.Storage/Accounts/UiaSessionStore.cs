namespace Matrix.Storage.Accounts;

/// <summary>A user-interactive authentication under way.</summary>
/// <param name="Operation">What it was begun for, user included; a session serves nothing else.</param>
/// <param name="Request">Body of the first request, without <c>auth</c>.</param>
public sealed record UiaSession(string SessionId, string Operation, IReadOnlyList<string> Completed, byte[] Request);

/// <summary>Sessions of user-interactive authentication: any instance continues what another began.</summary>
public sealed class UiaSessionStore(Database database)
{
    internal const string SqlCreate =
        """
        with old as (delete from uia_sessions where session_id in (select session_id from uia_sessions where created_ts_ms < $5 limit 100))
        insert into uia_sessions (session_id, created_ts_ms, params, request, completed) values ($1, $2, $3, $4, $6)
        """;
    internal const string SqlFind = "select params, completed, request from uia_sessions where session_id = $1";
    internal const string SqlComplete =
        """
        update uia_sessions set completed = case when $2 = any(completed) then completed else array_append(completed, $2) end
        where session_id = $1 returning completed
        """;
    internal const string SqlDelete = "delete from uia_sessions where session_id = $1";

    /// <summary>Begins a session and forgets some of those begun before <paramref name="expiredBeforeMs"/>.</summary>
    public async Task CreateAsync(UiaSession session, long nowMs, long expiredBeforeMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCreate);
        command.Parameters.AddWithValue(session.SessionId);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(System.Text.Encoding.UTF8.GetBytes(session.Operation));
        command.Parameters.AddWithValue(session.Request);
        command.Parameters.AddWithValue(expiredBeforeMs);
        command.Parameters.AddWithValue(session.Completed.ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Null: unknown.</summary>
    public async Task<UiaSession?> FindAsync(string sessionId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(sessionId);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct)
            ? new(sessionId, System.Text.Encoding.UTF8.GetString(r.GetFieldValue<byte[]>(0)), r.GetFieldValue<string[]>(1), r.GetFieldValue<byte[]>(2))
            : null;
    }

    /// <summary>Adds a completed stage; all completed ones, empty when the session is unknown.</summary>
    public async Task<IReadOnlyList<string>> CompleteAsync(string sessionId, string stage, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlComplete);
        command.Parameters.AddWithValue(sessionId);
        command.Parameters.AddWithValue(stage);
        return (string[]?)await command.ExecuteScalarAsync(ct) ?? [];
    }

    public async Task DeleteAsync(string sessionId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDelete);
        command.Parameters.AddWithValue(sessionId);
        await command.ExecuteNonQueryAsync(ct);
    }
}

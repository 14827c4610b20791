namespace Matrix.Storage.Sso;

/// <summary>A browser that is logged in to our pages.</summary>
/// <param name="ProvedTsMs">When the user last proved himself.</param>
public sealed record WebSession(string UserId, long ProvedTsMs);

/// <summary>Sessions of browsers at our own pages. One ends with its time, with the account, and when the password changes.</summary>
public sealed class WebSessionStore(Database database, TimeProvider clock)
{
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(14);

    internal const string SqlCreate =
        """
        with old as (delete from web_sessions where session_hash in (select session_hash from web_sessions where expires_ts_ms < $3 limit 100))
        insert into web_sessions (session_hash, user_id, proved_ts_ms, expires_ts_ms, password_tag)
        select $1, u.user_id, $3, $4, sha256(convert_to(coalesce(u.password_hash, ''), 'UTF8')) from users u where u.user_id = $2
        """;
    internal const string SqlFind =
        """
        select s.user_id, s.proved_ts_ms from web_sessions s join users u on u.user_id = s.user_id
        where s.session_hash = $1 and s.expires_ts_ms > $2 and not u.deactivated and not u.locked
            and s.password_tag = sha256(convert_to(coalesce(u.password_hash, ''), 'UTF8'))
        """;
    internal const string SqlDelete = "delete from web_sessions where session_hash = $1";

    /// <summary>The secret for the cookie.</summary>
    public async Task<string> CreateAsync(string userId, CancellationToken ct)
    {
        var secret = PendingStepStore.NewSecret();
        var now = clock.GetUtcNow();
        await using var command = database.Source.CreateCommand(SqlCreate);
        command.Parameters.AddWithValue(PendingStepStore.Hash(secret));
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(now.ToUnixTimeMilliseconds());
        command.Parameters.AddWithValue((now + Lifetime).ToUnixTimeMilliseconds());
        await command.ExecuteNonQueryAsync(ct);
        return secret;
    }

    /// <summary>Null: unknown or ended.</summary>
    public async Task<WebSession?> FindAsync(string secret, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(PendingStepStore.Hash(secret));
        command.Parameters.AddWithValue(clock.GetUtcNow().ToUnixTimeMilliseconds());
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? new(r.GetString(0), r.GetInt64(1)) : null;
    }

    public async Task DeleteAsync(string secret, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDelete);
        command.Parameters.AddWithValue(PendingStepStore.Hash(secret));
        await command.ExecuteNonQueryAsync(ct);
    }
}

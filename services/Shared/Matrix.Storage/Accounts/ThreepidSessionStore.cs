namespace Matrix.Storage.Accounts;

/// <summary>Somebody wants to show that a mailbox is his.</summary>
/// <param name="Purpose">add_threepid, registration or password_reset: a proof serves what it was begun for.</param>
/// <param name="SendAttempt">A higher one than before asks for another mail.</param>
public sealed record ThreepidRequest(string Medium, string Address, string ClientSecret, string Purpose, long SendAttempt, string? NextLink);

/// <summary>Proofs of addresses, under way or done. Tokens of mails are kept as SHA-256.</summary>
public sealed class ThreepidSessionStore(Database database)
{
    /// <remarks>The same client secret, address and purpose are the same session until it ends; every mail that was sent for it counts.</remarks>
    internal const string SqlBegin =
        """
        insert into threepid_sessions as t
            (session_id, medium, address, client_secret, purpose, send_attempt, token_hashes, next_link, created_ts_ms, expires_ts_ms)
        values ($1, $2, $3, $4, $5, $6, array[$7::bytea], $8, $9, $10)
        on conflict (client_secret, medium, address, purpose) do update set
            session_id = case when t.expires_ts_ms <= $9 then excluded.session_id else t.session_id end,
            token_hashes = case when t.expires_ts_ms <= $9 then excluded.token_hashes
                when excluded.send_attempt > t.send_attempt then t.token_hashes || excluded.token_hashes else t.token_hashes end,
            send_attempt = case when t.expires_ts_ms <= $9 then excluded.send_attempt else greatest(t.send_attempt, excluded.send_attempt) end,
            next_link = case when t.expires_ts_ms <= $9 or excluded.send_attempt > t.send_attempt then excluded.next_link else t.next_link end,
            validated_ts_ms = case when t.expires_ts_ms <= $9 then null else t.validated_ts_ms end,
            created_ts_ms = case when t.expires_ts_ms <= $9 then excluded.created_ts_ms else t.created_ts_ms end,
            expires_ts_ms = case when t.expires_ts_ms <= $9 then excluded.expires_ts_ms else t.expires_ts_ms end
        returning session_id, $7::bytea = any(token_hashes)
        """;
    internal const string SqlSubmit =
        """
        update threepid_sessions set validated_ts_ms = coalesce(validated_ts_ms, $5)
        where session_id = $1 and client_secret = $2 and purpose = $3 and $4 = any(token_hashes) and expires_ts_ms > $5 returning next_link
        """;
    internal const string SqlFindValidated =
        """
        select medium, address, validated_ts_ms from threepid_sessions
        where session_id = $1 and client_secret = $2 and purpose = any($3) and validated_ts_ms is not null and expires_ts_ms > $4
        """;
    internal const string SqlDelete = "delete from threepid_sessions where session_id = $1";

    /// <summary>The session, and whether a mail with this token is to be sent: not for an attempt that was answered before.</summary>
    public async Task<(string SessionId, bool Send)> BeginAsync(
        ThreepidRequest request, string newSessionId, byte[] tokenHash, long nowMs, long expiresMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlBegin);
        var p = command.Parameters;
        p.AddWithValue(newSessionId);
        p.AddWithValue(request.Medium);
        p.AddWithValue(request.Address);
        p.AddWithValue(request.ClientSecret);
        p.AddWithValue(request.Purpose);
        p.AddWithValue(request.SendAttempt);
        p.AddWithValue(tokenHash);
        p.Add(StoreParameters.Text(request.NextLink));
        p.AddWithValue(nowMs);
        p.AddWithValue(expiresMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        await r.ReadAsync(ct);
        return (r.GetString(0), r.GetBoolean(1));
    }

    /// <summary>The link of a mail was opened. False: it is none, or no longer. The next link is where the browser goes then; null: nowhere.</summary>
    public async Task<(bool Proved, string? NextLink)> SubmitAsync(
        string sessionId, string clientSecret, string purpose, byte[] tokenHash, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSubmit);
        command.Parameters.AddWithValue(sessionId);
        command.Parameters.AddWithValue(clientSecret);
        command.Parameters.AddWithValue(purpose);
        command.Parameters.AddWithValue(tokenHash);
        command.Parameters.AddWithValue(nowMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? (true, r.IsDBNull(0) ? null : r.GetString(0)) : (false, null);
    }

    /// <summary>What a session has proved; null: nothing, or it is not known.</summary>
    public async Task<ProvedAddress?> FindValidatedAsync(string sessionId, string clientSecret, string[] purposes, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFindValidated);
        command.Parameters.AddWithValue(sessionId);
        command.Parameters.AddWithValue(clientSecret);
        command.Parameters.AddWithValue(purposes);
        command.Parameters.AddWithValue(nowMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? new(r.GetString(0), r.GetString(1), r.GetInt64(2)) : null;
    }

    /// <summary>The proof has served.</summary>
    public async Task DeleteAsync(string sessionId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDelete);
        command.Parameters.AddWithValue(sessionId);
        await command.ExecuteNonQueryAsync(ct);
    }
}

using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Accounts;

/// <summary>A refresh token that was found and is locked. Null times: without end.</summary>
public sealed record RefreshTokenRecord(string UserId, string DeviceId, long? ExpiresTsMs, long? SessionExpiresTsMs, bool Deactivated, bool Locked);

/// <summary>
/// Refresh tokens. A refreshed token goes on working until the client shows that it has the next one, by using that or the access token beside it: an
/// answer that was lost is asked for again. Spec: client-server-api/#refreshing-access-tokens
/// </summary>
public sealed class RefreshTokenStore(Database database)
{
    /// <remarks>The lock makes two refreshes of one token take turns.</remarks>
    internal const string SqlFind =
        """
        select t.user_id, t.device_id, t.expires_ts_ms, t.session_expires_ts_ms, u.deactivated, u.locked
        from refresh_tokens t join users u using (user_id) where t.token_hash = $1 for update of t
        """;

    /// <remarks>
    /// Goes: what was before the token (it has arrived, so that one has served), and an earlier next token that never arrived. Stays: the access
    /// token of the token itself, until the new one is used.
    /// </remarks>
    internal const string SqlRefresh =
        """
        with me as (select token_hash, user_id, device_id, next_hash from refresh_tokens where token_hash = $1),
        gone as (
            delete from refresh_tokens r using me where (r.next_hash = me.token_hash or r.token_hash = me.next_hash) and r.token_hash <> me.token_hash
            returning r.token_hash),
        gone_tokens as (delete from access_tokens a using gone g where a.refresh_hash = g.token_hash returning a.token_hash),
        turned as (update refresh_tokens r set next_hash = $4 from me where r.token_hash = me.token_hash),
        new_refresh as (
            insert into refresh_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms, session_expires_ts_ms)
            select $4, me.user_id, me.device_id, $7, $5::bigint, $6::bigint from me),
        new_token as (
            insert into access_tokens (token_hash, user_id, device_id, created_ts_ms, expires_ts_ms, refresh_hash)
            select $2, me.user_id, me.device_id, $7, $3::bigint, $4 from me),
        stream_input as (
            select 'caches'::text as stream, 'token:' || encode(t.token_hash, 'hex') as key, ''::bytea as payload from gone_tokens t)
        """ + StreamStatement.Tail;

    /// <summary>
    /// Turns a refresh token into the next tokens. <paramref name="issue"/> sees the old one and makes new ones, or throws; it is not called for an
    /// unknown token. Null: unknown.
    /// </summary>
    public async Task<IReadOnlyList<StreamBatch>?> RefreshAsync(
        byte[] tokenHash, long nowMs, Func<RefreshTokenRecord, IssuedTokens> issue, CancellationToken ct) =>
        await database.InTransactionAsync(async tx =>
        {
            if (await FindAsync(tx, tokenHash, ct) is not { } old) return null;
            await using var command = new NpgsqlCommand(SqlRefresh, tx.Connection, tx);
            command.Parameters.AddWithValue(tokenHash);
            IssuedTokens.Add(command.Parameters, issue(old));
            command.Parameters.AddWithValue(nowMs);
            await using var reader = await command.ExecuteReaderAsync(ct);
            return await StreamStatement.ReadAsync(reader, ct);
        }, ct);

    private static async Task<RefreshTokenRecord?> FindAsync(NpgsqlTransaction tx, byte[] tokenHash, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SqlFind, tx.Connection, tx);
        command.Parameters.AddWithValue(tokenHash);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct)
            ? new(r.GetString(0), r.GetString(1), r.IsDBNull(2) ? null : r.GetInt64(2), r.IsDBNull(3) ? null : r.GetInt64(3), r.GetBoolean(4), r.GetBoolean(5))
            : null;
    }
}

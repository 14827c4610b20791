using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.OAuth;

/// <summary>A device that came in through the OAuth 2.0 API.</summary>
public sealed record OAuthSession(string UserId, string DeviceId, string ClientId, string Scope);

/// <summary>Hashes of the tokens that are given out together, and until when the access token works.</summary>
/// <param name="Family">Hash of what the refresh tokens of a session have in common; null: those of a session from before there was that.</param>
public sealed record OAuthTokens(byte[] Access, byte[] Refresh, byte[]? Family, long AccessExpiresTsMs);

public enum RefreshVerdict { Refreshed, Unknown, Reused }

/// <param name="Session">Null when the token is unknown.</param>
public sealed record RefreshOutcome(RefreshVerdict Verdict, OAuthSession? Session, IReadOnlyList<StreamBatch> Batches);

/// <summary>Sessions of the OAuth 2.0 API: a device, its client and scope, its chain of refresh tokens.</summary>
public sealed class OAuthSessionStore(Database database, TimeProvider clock)
{
    /// <summary>How long a used refresh token is remembered, so that its answer can be asked for again.</summary>
    private static readonly TimeSpan UsedTokensKept = TimeSpan.FromHours(1);

    internal const string SqlNewDevice =
        """
        insert into devices (user_id, device_id, display_name, created_ts_ms) values ($1, $2, $3, $4)
        on conflict (user_id, device_id) do nothing returning device_id
        """;
    internal const string SqlEndSession = "delete from oauth_sessions where user_id = $1 and device_id = $2";
    internal const string SqlNewSession = "insert into oauth_sessions (user_id, device_id, client_id, scope, created_ts_ms, family_hash) values ($1, $2, $3, $4, $5, $6)";
    internal const string SqlNewRefreshToken =
        """
        insert into oauth_refresh_tokens (token_hash, user_id, device_id, access_token_hash, parent_hash, created_ts_ms)
        values ($1, $2, $3, $4, $5, $6)
        """;
    /// <remarks>The session's row is locked: refreshes of one session take turns.</remarks>
    internal const string SqlFindRefreshToken =
        """
        select s.user_id, s.device_id, s.client_id, s.scope, t.superseded,
            exists (select 1 from oauth_refresh_tokens c join oauth_refresh_tokens g on g.parent_hash = c.token_hash where c.parent_hash = t.token_hash) as passed
        from oauth_refresh_tokens t
        join oauth_sessions s on s.user_id = t.user_id and s.device_id = t.device_id
        join users u on u.user_id = s.user_id
        where t.token_hash = $1 and not u.deactivated for update of s
        """;
    /// <remarks>Answers of earlier uses of the same token that nobody has gone on with: they were lost.</remarks>
    internal const string SqlSupersede =
        "update oauth_refresh_tokens set superseded = true where parent_hash = $1 and not superseded returning access_token_hash";
    internal const string SqlForgetOldTokens =
        """
        delete from oauth_refresh_tokens where user_id = $1 and device_id = $2 and token_hash <> $3 and created_ts_ms < $4
        """;
    internal const string SqlDeleteAccess = "delete from access_tokens where token_hash = any($1) returning token_hash";
    internal const string SqlFindByToken =
        """
        select s.user_id, s.device_id, s.client_id, s.scope from access_tokens a
        join oauth_sessions s on s.user_id = a.user_id and s.device_id = a.device_id where a.token_hash = $1
        union all
        select s.user_id, s.device_id, s.client_id, s.scope from oauth_refresh_tokens t
        join oauth_sessions s on s.user_id = t.user_id and s.device_id = t.device_id where t.token_hash = $1
        limit 1
        """;
    internal const string SqlFindByFamily = "select user_id, device_id, client_id, scope from oauth_sessions where family_hash = $1";
    internal const string SqlListOfUser =
        "select user_id, device_id, client_id, scope from oauth_sessions where user_id = $1 order by device_id";

    /// <summary>A new session on this device; tokens that the device had are gone.</summary>
    public Task<IReadOnlyList<StreamBatch>> BeginAsync(OAuthSession session, string? deviceName, OAuthTokens tokens, CancellationToken ct) =>
        database.InTransactionAsync<IReadOnlyList<StreamBatch>>(async tx =>
        {
            var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
            var isNew = await ScalarAsync(tx, SqlNewDevice, ct, session.UserId, session.DeviceId, StoreParameters.Text(deviceName), now) is not null;
            var gone = await AccessTokenStore.DeleteOfDeviceAsync(tx, session.UserId, session.DeviceId, ct);
            await ScalarAsync(tx, SqlEndSession, ct, session.UserId, session.DeviceId);
            await ScalarAsync(tx, SqlNewSession, ct, session.UserId, session.DeviceId, session.ClientId, session.Scope, now, StoreParameters.Bytes(tokens.Family));
            await IssueAsync(tx, session, tokens, null, now, ct);
            var rows = Invalidations(gone);
            if (isNew) rows.Add((Replication.Streams.DeviceLists, session.UserId, new DeviceListRow(session.DeviceId).Encode()));
            return await StreamStatement.AppendAsync(tx, rows, ct);
        }, ct);

    /// <summary>
    /// Exchanges a refresh token. It stays good until what came of it is used: an answer may be lost. A token whose descendants were used, or whose
    /// place another has taken, is in wrong hands: the caller ends the session. Spec: client-server-api/#refresh-token-grant
    /// </summary>
    public Task<RefreshOutcome> RefreshAsync(byte[] refreshToken, string clientId, OAuthTokens tokens, CancellationToken ct) =>
        database.InTransactionAsync(async tx =>
        {
            var (session, spent) = await FindAsync(tx, refreshToken, ct);
            if (session is null || session.ClientId != clientId) return new RefreshOutcome(RefreshVerdict.Unknown, null, []);
            if (spent) return new RefreshOutcome(RefreshVerdict.Reused, session, []);
            var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
            var lost = await HashesAsync(tx, SqlSupersede, ct, refreshToken);
            var gone = lost.Count == 0 ? [] : await HashesAsync(tx, SqlDeleteAccess, ct, (object)lost.ToArray());
            await ScalarAsync(tx, SqlForgetOldTokens, ct, session.UserId, session.DeviceId, refreshToken, now - (long)UsedTokensKept.TotalMilliseconds);
            await IssueAsync(tx, session, tokens, refreshToken, now, ct);
            return new RefreshOutcome(RefreshVerdict.Refreshed, session, await StreamStatement.AppendAsync(tx, Invalidations(gone), ct));
        }, ct);

    /// <summary>The session that an access token or a refresh token belongs to; null: neither.</summary>
    public Task<OAuthSession?> FindByTokenAsync(byte[] tokenHash, CancellationToken ct) => FindAsync(SqlFindByToken, tokenHash, ct);

    /// <summary>The session whose refresh tokens have that in common; null: none.</summary>
    public Task<OAuthSession?> FindByFamilyAsync(byte[] familyHash, CancellationToken ct) => FindAsync(SqlFindByFamily, familyHash, ct);

    private async Task<OAuthSession?> FindAsync(string sql, byte[] hash, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(hash);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? Session(r) : null;
    }

    public async Task<List<OAuthSession>> ListAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlListOfUser);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        var sessions = new List<OAuthSession>();
        while (await r.ReadAsync(ct)) sessions.Add(Session(r));
        return sessions;
    }

    private static async Task IssueAsync(NpgsqlTransaction tx, OAuthSession session, OAuthTokens tokens, byte[]? parent, long now, CancellationToken ct)
    {
        await AccessTokenStore.InsertAsync(tx, tokens.Access, session.UserId, session.DeviceId, now, tokens.AccessExpiresTsMs, ct);
        await ScalarAsync(tx, SqlNewRefreshToken, ct, tokens.Refresh, session.UserId, session.DeviceId, tokens.Access, StoreParameters.Bytes(parent), now);
    }

    private static List<(Replication.StreamDefinition Stream, string Key, byte[] Payload)> Invalidations(List<byte[]> tokens) =>
        [.. tokens.Select(t => (Replication.Streams.Caches, "token:" + Convert.ToHexStringLower(t), Array.Empty<byte>()))];

    private static async Task<(OAuthSession? Session, bool Spent)> FindAsync(NpgsqlTransaction tx, byte[] refreshToken, CancellationToken ct)
    {
        await using var command = Command(tx, SqlFindRefreshToken, refreshToken);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? (Session(r), r.GetBoolean(4) || r.GetBoolean(5)) : (null, false);
    }

    private static OAuthSession Session(NpgsqlDataReader r) => new(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3));

    private static async Task<object?> ScalarAsync(NpgsqlTransaction tx, string sql, CancellationToken ct, params object[] parameters)
    {
        await using var command = Command(tx, sql, parameters);
        return await command.ExecuteScalarAsync(ct);
    }

    private static async Task<List<byte[]>> HashesAsync(NpgsqlTransaction tx, string sql, CancellationToken ct, params object[] parameters)
    {
        await using var command = Command(tx, sql, parameters);
        await using var r = await command.ExecuteReaderAsync(ct);
        var hashes = new List<byte[]>();
        while (await r.ReadAsync(ct)) hashes.Add(r.GetFieldValue<byte[]>(0));
        return hashes;
    }

    private static NpgsqlCommand Command(NpgsqlTransaction tx, string sql, params object[] parameters)
    {
        var command = new NpgsqlCommand(sql, tx.Connection, tx);
        foreach (var parameter in parameters)
        {
            if (parameter is NpgsqlParameter given) command.Parameters.Add(given);
            else command.Parameters.AddWithValue(parameter);
        }
        return command;
    }
}

using System.Security.Cryptography;
using System.Text;

namespace Matrix.Storage.Accounts;

/// <summary>What a login token proves.</summary>
/// <param name="AuthProvider">Who proved the user, such as <c>oidc-github</c>; null: another session of his.</param>
/// <param name="AuthProviderSession">Name of the session at the provider, for its logout; null: none.</param>
public sealed record LoginToken(string UserId, string? AuthProvider, string? AuthProviderSession);

/// <summary>Tokens of <c>m.login.token</c>: random, stored hashed, taken once by any instance. Spec: client-server-api/#token-based</summary>
public sealed class LoginTokenStore(Database database, TimeProvider clock)
{
    /// <summary>How long a token lasts unless said otherwise. Spec: client-server-api/#post_matrixclientv1loginget_token: "should be short".</summary>
    public static readonly TimeSpan DefaultLifetime = TimeSpan.FromMinutes(2);
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    internal const string SqlCreate =
        """
        with old as (delete from login_tokens where token_hash in (select token_hash from login_tokens where expires_ts_ms < $6 limit 100))
        insert into login_tokens (token_hash, user_id, expires_ts_ms, auth_provider, auth_provider_session) values ($1, $2, $3, $4, $5)
        """;
    internal const string SqlConsume =
        "delete from login_tokens where token_hash = $1 returning user_id, auth_provider, auth_provider_session, expires_ts_ms";
    internal const string SqlBind =
        """
        insert into sso_devices (user_id, device_id, auth_provider, auth_provider_session)
        select d.user_id, d.device_id, $3, $4 from devices d where d.user_id = $1 and d.device_id = $2
        on conflict (user_id, device_id) do update
            set auth_provider = excluded.auth_provider, auth_provider_session = excluded.auth_provider_session
        """;

    /// <summary>A new token for this user; the text is known to nobody else afterwards.</summary>
    public Task<string> CreateAsync(string userId, TimeSpan lifetime, CancellationToken ct) => CreateAsync(new LoginToken(userId, null, null), lifetime, ct);

    /// <summary>As above, with who has proved it.</summary>
    public async Task<string> CreateAsync(LoginToken proof, TimeSpan lifetime, CancellationToken ct)
    {
        var token = $"syl_{RandomNumberGenerator.GetString(Letters, 40)}";
        var now = clock.GetUtcNow();
        await using var command = database.Source.CreateCommand(SqlCreate);
        var p = command.Parameters;
        p.AddWithValue(Hash(token));
        p.AddWithValue(proof.UserId);
        p.AddWithValue((now + lifetime).ToUnixTimeMilliseconds());
        p.Add(StoreParameters.Text(proof.AuthProvider));
        p.Add(StoreParameters.Text(proof.AuthProviderSession));
        p.AddWithValue(now.ToUnixTimeMilliseconds());
        await command.ExecuteNonQueryAsync(ct);
        return token;
    }

    /// <summary>Takes a token; null: unknown, taken before, or expired.</summary>
    public async Task<LoginToken?> ConsumeAsync(string token, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlConsume);
        command.Parameters.AddWithValue(Hash(token));
        await using var r = await command.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct) || r.GetInt64(3) <= clock.GetUtcNow().ToUnixTimeMilliseconds()) return null;
        return new(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.IsDBNull(2) ? null : r.GetString(2));
    }

    /// <summary>After the login: a logout at the provider will end this device. Nothing to remember when the token names no session there.</summary>
    public async Task BindDeviceAsync(LoginToken token, string deviceId, CancellationToken ct)
    {
        if (token.AuthProvider is not { } provider || token.AuthProviderSession is not { } session) return;
        await using var command = database.Source.CreateCommand(SqlBind);
        command.Parameters.AddWithValue(token.UserId);
        command.Parameters.AddWithValue(deviceId);
        command.Parameters.AddWithValue(provider);
        command.Parameters.AddWithValue(session);
        await command.ExecuteNonQueryAsync(ct);
    }

    private static byte[] Hash(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}

using System.Security.Cryptography;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Account;

/// <summary>Tokens as their owner gets them; what is stored of them is <see cref="Stored"/>.</summary>
/// <param name="RefreshToken">Null: the access token cannot be refreshed.</param>
/// <param name="ExpiresInMs">Null: the access token does not expire.</param>
internal sealed record NewTokens(string AccessToken, string? RefreshToken, long? ExpiresInMs, IssuedTokens Stored);

/// <summary>Makes tokens with the lifetimes of the configuration.</summary>
internal sealed class TokenIssuer(HomeserverConfig config, TimeProvider clock)
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private readonly SessionConfig sessions = config.Accounts.Sessions;

    /// <param name="refreshable">The client knows how to refresh.</param>
    public NewTokens ForLogin(UserId user, bool refreshable)
    {
        var now = clock.GetUtcNow();
        return Make(user, now, refreshable && sessions.RefreshableAccessToken is not null, now + sessions.SessionLifetime);
    }

    /// <param name="sessionExpiresTsMs">Of the token that is refreshed.</param>
    public NewTokens ForRefresh(UserId user, long? sessionExpiresTsMs) =>
        Make(user, clock.GetUtcNow(), true, sessionExpiresTsMs is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at) : null);

    private NewTokens Make(UserId user, DateTimeOffset now, bool refreshable, DateTimeOffset? sessionEnd)
    {
        var accessEnd = Earlier(now + (refreshable ? sessions.RefreshableAccessToken : sessions.NonRefreshableAccessToken), sessionEnd);
        var access = AccessTokens.New(user);
        var refresh = refreshable ? $"syr_{RandomNumberGenerator.GetString(Letters, 40)}" : null;
        var stored = new IssuedTokens(AccessTokenStore.Hash(access), Ms(accessEnd), refresh is null ? null : AccessTokenStore.Hash(refresh),
            refresh is null ? null : Ms(Earlier(now + sessions.RefreshToken, sessionEnd)), Ms(sessionEnd));
        return new NewTokens(access, refresh, accessEnd is { } end ? (long)(end - now).TotalMilliseconds : null, stored);
    }

    private static DateTimeOffset? Earlier(DateTimeOffset? a, DateTimeOffset? b) => a is null || b < a ? b : a;
    private static long? Ms(DateTimeOffset? time) => time?.ToUnixTimeMilliseconds();
}

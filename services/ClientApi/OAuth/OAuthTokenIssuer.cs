using System.Security.Cryptography;
using Matrix.ClientApi.Account;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.OAuth;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;
using Matrix.Web.Json;

namespace Matrix.ClientApi.OAuth;

/// <summary>Gives out, renews and takes back the tokens of the OAuth 2.0 API. Access tokens are those of every other session, only short-lived.</summary>
internal sealed partial class OAuthTokenIssuer(
    OAuthSessionStore store, LoginGate gate, UsageGate usage, Sessions sessions, IStreamPublisher publisher, HomeserverConfig config, TimeProvider clock, ILogger<OAuthTokenIssuer> log)
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private const int FamilyLength = 22;

    public async Task<IResult> BeginAsync(OAuthSession session, OAuthClient client, CancellationToken ct)
    {
        try
        {
            await gate.RequireOpenAsync(new UserId(session.UserId), ct);
            await usage.RequireAsync(new UserId(session.UserId), ct);
            await sessions.RequireNoKeyAsync(new UserId(session.UserId), session.DeviceId, ct);
        }
        catch (MatrixException e)
        {
            throw new OAuthException("invalid_grant", e.Error.Message);
        }
        var tokens = Make(session.UserId, RandomNumberGenerator.GetString(Letters, FamilyLength));
        await publisher.PublishAllAsync(await store.BeginAsync(session, client.Name, tokens.Stored, ct));
        return Answer(tokens, session.Scope);
    }

    /// <summary>A refresh token that was used before ends the session: one of two has it who should not. Spec: client-server-api/#refresh-token-grant</summary>
    public async Task<IResult> RefreshAsync(string refreshToken, string clientId, CancellationToken ct)
    {
        var family = FamilyOf(refreshToken);
        // The user is in the token, for the access token that comes next; the database decides.
        if (await store.FindByTokenAsync(AccessTokenStore.Hash(refreshToken), ct) is not { } known)
        {
            // Used so long ago that it is forgotten.
            if (family is not null && await store.FindByFamilyAsync(AccessTokenStore.Hash(family), ct) is { } old && old.ClientId == clientId)
                await EndAsync(old, "a refresh token was used twice");
            throw Unknown();
        }
        // Locked accounts too: a refusal would end a session that is to be kept. What the new token is good for, the other endpoints say. Spec: client-server-api/#account-locking
        var tokens = Make(known.UserId, family);
        var outcome = await store.RefreshAsync(AccessTokenStore.Hash(refreshToken), clientId, tokens.Stored, ct);
        await publisher.PublishAllAsync(outcome.Batches);
        if (outcome is { Verdict: RefreshVerdict.Refreshed, Session: { } session }) return Answer(tokens, session.Scope);
        if (outcome.Verdict == RefreshVerdict.Reused) await EndAsync(known, "a refresh token was used twice");
        throw Unknown();
    }

    private static OAuthException Unknown() => new("invalid_grant", "The refresh token is unknown or was revoked.");

    /// <summary>What the token has in common with all others of its session; null: it is of a session from before there was that.</summary>
    private static string? FamilyOf(string refreshToken) => refreshToken.Split('_') is ["syr", { Length: FamilyLength } family, _] ? family : null;

    /// <summary>Ends the session of an access or refresh token; nothing happens for anything else.</summary>
    public async Task RevokeAsync(string token, CancellationToken ct)
    {
        if (await store.FindByTokenAsync(AccessTokenStore.Hash(token), ct) is { } session) await sessions.LogOutAsync(new UserId(session.UserId), [session.DeviceId], ct);
    }

    /// <summary>Something that was good once came again: whoever holds the session may not be its owner.</summary>
    public async Task EndAsync(OAuthSession session, string reason)
    {
        LogEnded(log, session.UserId, session.DeviceId, reason);
        // Not cancelled when the one who repeated it goes away.
        await sessions.LogOutAsync(new UserId(session.UserId), [session.DeviceId], CancellationToken.None);
    }

    private sealed record NewOAuthTokens(string Access, string Refresh, OAuthTokens Stored);

    private NewOAuthTokens Make(string userId, string? family)
    {
        var access = AccessTokens.New(new UserId(userId));
        var refresh = $"syr_{(family is null ? "" : family + "_")}{RandomNumberGenerator.GetString(Letters, 43)}";
        var expires = (clock.GetUtcNow() + config.OAuth.AccessTokenLifetime).ToUnixTimeMilliseconds();
        return new(access, refresh, new(AccessTokenStore.Hash(access), AccessTokenStore.Hash(refresh), family is null ? null : AccessTokenStore.Hash(family), expires));
    }

    private IResult Answer(NewOAuthTokens tokens, string scope) => MatrixResults.Object(w =>
    {
        w.WriteString("access_token"u8, tokens.Access);
        w.WriteString("token_type"u8, "Bearer");
        w.WriteNumber("expires_in"u8, (long)config.OAuth.AccessTokenLifetime.TotalSeconds);
        w.WriteString("refresh_token"u8, tokens.Refresh);
        w.WriteString("scope"u8, scope);
    });

    [LoggerMessage(4032, LogLevel.Warning, "Session of {User} on {Device} ended: {Reason}")]
    private static partial void LogEnded(ILogger log, string user, string device, string reason);
}

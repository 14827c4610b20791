using System.Text.Json;
using System.Text.Json.Serialization;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.ClientApi.Uia;
using Matrix.Storage.Accounts;
using Matrix.Web.RateLimits;

namespace Matrix.ClientApi.OAuth;

/// <summary>What a sign-up remembers.</summary>
/// <param name="RegisteredUserId">Whom it has made; written by the statement that makes accounts. Null: nobody yet.</param>
internal sealed record SignUpMemory([property: JsonPropertyName("registered_user_id")] string? RegisteredUserId);

[JsonSerializable(typeof(SignUpMemory))]
[JsonSerializable(typeof(string))]
internal sealed partial class SignUpJson : JsonSerializerContext;

/// <summary>A sign-up on its way.</summary>
internal sealed record SignUp(UiaSession Session, string? RegisteredUserId, string? Next);

/// <summary>
/// Sign-ups under way: sessions of user-interactive authentication like those of clients that register, but for an operation of their own, and known by a
/// cookie alone. No address that a browser is sent to names them, so nobody can be made to go on with somebody else's.
/// </summary>
internal sealed class SignUps(UiaSessionStore sessions, SignUpPolicy policy, RateLimiter limiter)
{
    private const string Operation = "sign_up";
    /// <summary>Among what pages keep: where the browser goes afterwards.</summary>
    private const string NextKey = "next";

    /// <summary>That of this browser; null: it has begun none, or it is over.</summary>
    public async Task<SignUp?> FindAsync(Browser browser, CancellationToken ct)
    {
        if (browser.SignUp is not { } id || await sessions.FindAsync(id, ct) is not { Operation: Operation } session) return null;
        var memory = JsonSerializer.Deserialize(session.Request, SignUpJson.Default.SignUpMemory);
        return new SignUp(session, memory?.RegisteredUserId, session.Kept.TryGetValue(NextKey, out var next) ? JsonSerializer.Deserialize(next, SignUpJson.Default.String) : null);
    }

    /// <summary>M_FORBIDDEN where registration is closed.</summary>
    public void RequireOpen()
    {
        if (!policy.IsOpen) throw new PageException(403, "M_FORBIDDEN", "New accounts cannot be made on this page.");
    }

    /// <summary>That of this browser, or a new one.</summary>
    /// <param name="next">Where it leads; null: where it led before.</param>
    public async Task<SignUp> BeginAsync(string? next, LoginClient client, Browser browser, CancellationToken ct)
    {
        if (await FindAsync(browser, ct) is not { RegisteredUserId: null } signUp)
        {
            await limiter.RequireLeftAsync(RateLimitRules.Registration, client.Address, ct);
            var session = new UiaSession(InteractiveAuth.NewId(), Operation, [], "{}"u8.ToArray(), UiaOutcome.NoResults) { Flows = [policy.Stages] };
            await sessions.CreateAsync(session, ct);
            browser.SetSignUp(session.SessionId, UiaSessionStore.Lifetime);
            signUp = new SignUp(session, null, null);
        }
        next = next is null && signUp.Next is { } before ? before : OwnPaths.OrAccount(next);
        if (signUp.Next != next) await sessions.KeepAsync(signUp.Session.SessionId, NextKey, JsonSerializer.Serialize(next, SignUpJson.Default.String), ct);
        return signUp with { Next = next };
    }

    /// <summary>Which page of how many it is that comes after the completed stages; null: there is only one.</summary>
    public (int Step, int Steps)? ProgressOf(SignUp signUp)
    {
        var stages = policy.Stages.Where(s => s != DummyStage.Name).ToList();
        return stages.Count == 0 ? null : (stages.Count(signUp.Session.Completed.Contains) + 1, stages.Count + 1);
    }

    /// <summary>The stage whose turn it is, by what the configuration wants now; null: the account can be made. Making it is all that the dummy asks.</summary>
    public string? StageOf(SignUp signUp) => policy.Stages.FirstOrDefault(s => s != DummyStage.Name && !signUp.Session.Completed.Contains(s));
}

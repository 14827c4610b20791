using System.Buffers;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;

namespace Matrix.ClientApi.Account;

/// <summary>Finds the account that a user identifier and a password prove. Spec: client-server-api/#password-based</summary>
internal sealed class PasswordLogin(AccountStore accounts, ThreepidStore addresses, PasswordHasher hasher, RateLimiter limiter, HomeserverConfig config)
{
    private static readonly MatrixError Refused = MatrixError.Forbidden("Invalid username or password");

    /// <summary>
    /// The account; M_FORBIDDEN when user or password is wrong (the same error after the same work), M_USER_DEACTIVATED, and M_USER_LOCKED for who
    /// knows the password.
    /// </summary>
    public async Task<UserId> AuthenticateAsync(JsonElement submission, CancellationToken ct)
    {
        var wanted = await FindUserAsync(submission, ct);
        var password = submission.RequiredString("password");
        // By what was asked for, whether it exists or not: the limit tells nothing either.
        var subject = wanted?.Value.ToLowerInvariant() ?? "";
        await limiter.RequireLeftAsync(RateLimitRules.LoginFailedAttempts, subject, ct);
        var found = wanted is { } user && user.Server == config.ServerName
            ? await accounts.FindForLoginAsync(user.Value, user.Value.ToLowerInvariant(), ct) : null;
        var proved = await hasher.VerifyAsync(password, found?.PasswordHash, ct);
        if (found is { Deactivated: true }) throw MatrixError.UserDeactivated().AsException();
        if (!proved || found is null)
        {
            await limiter.CountAsync(RateLimitRules.LoginFailedAttempts, subject, ct);
            throw Refused.AsException();
        }
        LoginGate.RequireOpen(found);
        if (hasher.IsOutdated(found.PasswordHash!))
            await accounts.RehashAsync(found.UserId, found.PasswordHash!, await hasher.HashAsync(password, ct), ct);
        return new UserId(found.UserId);
    }

    /// <summary>The user meant by <c>identifier</c>, or by the old <c>user</c>; null when nobody of this server can be meant.</summary>
    public async Task<UserId?> FindUserAsync(JsonElement submission, CancellationToken ct)
    {
        var identifier = submission.ObjectOrNull("identifier");
        if (identifier is null)
        {
            if (submission.StringOrNull("user") is { } legacy) return Qualify(legacy);
            if (submission.StringOrNull("medium") is not null) return await OwnerAsync(submission, ct);
            throw MatrixError.MissingParam("Missing 'identifier' parameter").AsException();
        }
        var id = identifier.Value;
        switch (id.RequiredString("type"))
        {
            case "m.id.user":
                return Qualify(id.StringOrNull("user") ?? throw MatrixError.InvalidParam("User identifier is missing 'user' key").AsException());
            case "m.id.thirdparty":
                return await OwnerAsync(id, ct);
            case "m.id.phone":
                if (id.StringOrNull("country") is not { } country || (id.StringOrNull("phone") ?? id.StringOrNull("number")) is not { } phone)
                    throw MatrixError.InvalidParam("Invalid phone-type identifier").AsException();
                return Threepids.Msisdn(country, phone) is { } number ? await OwnerAsync("msisdn", number, ct) : null;
            default:
                throw MatrixError.Unknown(400, "Unknown login identifier type").AsException();
        }
    }

    private Task<UserId?> OwnerAsync(JsonElement id, CancellationToken ct)
    {
        if (id.StringOrNull("medium") is not { } medium || id.StringOrNull("address") is not { } address)
            throw MatrixError.InvalidParam("Invalid thirdparty identifier").AsException();
        return Threepids.Canonical(medium, address) is { } canonical ? OwnerAsync(medium, canonical, ct) : Task.FromResult<UserId?>(null);
    }

    private async Task<UserId?> OwnerAsync(string medium, string address, CancellationToken ct) =>
        await addresses.OwnerAsync(medium, address, ct) is { } owner ? new UserId(owner) : null;

    private UserId? Qualify(string user)
    {
        if (!user.StartsWith('@')) user = $"@{user}:{config.ServerName}";
        return UserId.TryParse(user, null, out var id) ? id : null;
    }

    /// <summary>What a form sends, as a client would have sent it: a name, a user id or a mail address, and the password.</summary>
    public static JsonElement Submission(string name, string password)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            w.WriteStartObject("identifier"u8);
            var isEmail = name.IndexOf('@', StringComparison.Ordinal) > 0;
            w.WriteString("type"u8, isEmail ? "m.id.thirdparty" : "m.id.user");
            if (isEmail) w.WriteString("medium"u8, "email");
            w.WriteString(isEmail ? "address"u8 : "user"u8, name);
            w.WriteEndObject();
            w.WriteString("password"u8, password);
            w.WriteEndObject();
        }
        using var document = JsonDocument.Parse(buffer.WrittenMemory);
        return document.RootElement.Clone();
    }
}

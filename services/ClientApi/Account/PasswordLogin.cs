using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

/// <summary>Finds the account that a user identifier and a password prove. Spec: client-server-api/#password-based</summary>
internal sealed class PasswordLogin(AccountStore accounts, PasswordHasher hasher, HomeserverConfig config)
{
    private static readonly MatrixError Refused = MatrixError.Forbidden("Invalid username or password");

    /// <summary>
    /// The account; M_FORBIDDEN when user or password is wrong (the same error after the same work), M_USER_DEACTIVATED, M_USER_LOCKED.
    /// </summary>
    public async Task<UserId> AuthenticateAsync(JsonElement submission, CancellationToken ct)
    {
        var wanted = UserOf(submission);
        var password = submission.RequiredString("password");
        var found = wanted is { } user && user.Server == config.ServerName
            ? await accounts.FindForLoginAsync(user.Value, user.Value.ToLowerInvariant(), ct) : null;
        if (found is { Deactivated: true }) throw MatrixError.UserDeactivated().AsException();
        if (!await hasher.VerifyAsync(password, found?.PasswordHash, ct) || found is null) throw Refused.AsException();
        if (found.Locked)
            throw MatrixError.Custom(401, "M_USER_LOCKED", "This account has been locked.").With("soft_logout", "true").AsException();
        return new UserId(found.UserId);
    }

    /// <summary>The user meant by <c>identifier</c>, or by the old <c>user</c>; null when nobody of this server can be meant.</summary>
    public UserId? UserOf(JsonElement submission)
    {
        var identifier = submission.ObjectOrNull("identifier");
        if (identifier is null)
        {
            if (submission.StringOrNull("user") is { } legacy) return Qualify(legacy);
            if (submission.StringOrNull("medium") is not null) return ThirdParty(submission);
            throw MatrixError.MissingParam("Missing 'identifier' parameter").AsException();
        }
        var id = identifier.Value;
        switch (id.RequiredString("type"))
        {
            case "m.id.user":
                return Qualify(id.StringOrNull("user") ?? throw MatrixError.InvalidParam("User identifier is missing 'user' key").AsException());
            case "m.id.thirdparty":
                return ThirdParty(id);
            case "m.id.phone":
                if (id.StringOrNull("country") is null || (id.StringOrNull("phone") ?? id.StringOrNull("number")) is null)
                    throw MatrixError.InvalidParam("Invalid phone-type identifier").AsException();
                return null;
            default:
                throw MatrixError.Unknown(400, "Unknown login identifier type").AsException();
        }
    }

    // No third-party identifier is bound here: the answer is that of a wrong password.
    private static UserId? ThirdParty(JsonElement id) =>
        id.StringOrNull("medium") is null || id.StringOrNull("address") is null
            ? throw MatrixError.InvalidParam("Invalid thirdparty identifier").AsException() : null;

    private UserId? Qualify(string user)
    {
        if (!user.StartsWith('@')) user = $"@{user}:{config.ServerName}";
        return UserId.TryParse(user, null, out var id) ? id : null;
    }
}

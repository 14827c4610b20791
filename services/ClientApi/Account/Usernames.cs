using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Account;

/// <summary>Which localparts may be registered. Spec: appendices/#user-identifiers</summary>
internal static class Usernames
{
    /// <summary>The user id of a wanted localpart; M_INVALID_USERNAME when the grammar or the policy forbids it.</summary>
    public static UserId Validate(string username, HomeserverConfig config)
    {
        // Synapse: capitals are folded, not refused.
        var localpart = username.ToLowerInvariant();
        if (localpart.Length == 0) throw Invalid("User ID cannot be empty");
        foreach (var c in localpart)
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('.' or '_' or '=' or '-' or '/' or '+'))
                throw Invalid("User ID can only contain characters a-z, 0-9, or '=_-./+'");
        if (localpart[0] == '_' && !config.Accounts.AllowUnderscorePrefix) throw Invalid("User ID may not begin with _");
        if (localpart.All(char.IsAsciiDigit)) throw Invalid("Numeric user IDs are reserved for guest users.");
        if (localpart == config.ServerNotices?.Localpart) throw MatrixError.Exclusive("This user ID is reserved.").AsException();
        return OfLength(UserId.Of(localpart, config.ServerName));
    }

    /// <summary>As above for the users of application services, who may be called almost anything.</summary>
    public static UserId ValidateForAppService(string username, HomeserverConfig config)
    {
        var user = UserId.Of(username, config.ServerName);
        // Synapse: capitals stay, because a namespace may have some and the bridge goes on to speak for just that user.
        foreach (var c in user.Localpart)
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('.' or '_' or '=' or '-' or '/' or '+'))
                throw Invalid("User ID can only contain characters a-z, A-Z, 0-9, or '=_-./+'");
        return user.Localpart.Length > 0 ? OfLength(user) : throw Invalid("User ID cannot be empty");
    }

    private static UserId OfLength(UserId id) =>
        id.Value.Length <= MatrixIdLimits.MaxBytes ? id : throw Invalid("User ID may not be longer than 255 characters");

    private static MatrixException Invalid(string message) => MatrixError.InvalidUsername(message).AsException();
}

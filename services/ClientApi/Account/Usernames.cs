using Matrix.Primitives;

namespace Matrix.ClientApi.Account;

/// <summary>Which localparts may be registered. Spec: appendices/#user-identifiers</summary>
internal static class Usernames
{
    /// <summary>The user id of a wanted localpart; M_INVALID_USERNAME when the grammar or the policy forbids it.</summary>
    public static UserId Validate(string username, string serverName)
    {
        // Synapse: capitals are folded, not refused.
        var localpart = username.ToLowerInvariant();
        if (localpart.Length == 0) throw Invalid("User ID cannot be empty");
        foreach (var c in localpart)
            if (!char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c is not ('.' or '_' or '=' or '-' or '/' or '+'))
                throw Invalid("User ID can only contain characters a-z, 0-9, or '=_-./+'");
        if (localpart[0] == '_') throw Invalid("User ID may not begin with _");
        if (localpart.All(char.IsAsciiDigit)) throw Invalid("Numeric user IDs are reserved for guest users.");
        var id = UserId.Of(localpart, serverName);
        return id.Value.Length <= MatrixIdLimits.MaxBytes ? id : throw Invalid("User ID may not be longer than 255 characters");
    }

    private static MatrixException Invalid(string message) => MatrixError.InvalidUsername(message).AsException();
}

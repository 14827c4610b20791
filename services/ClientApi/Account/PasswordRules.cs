using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Account;

/// <summary>Which passwords may be chosen. Synapse: password_config.policy (MSC2000)</summary>
internal sealed class PasswordRules(HomeserverConfig config)
{
    /// <summary>Characters.</summary>
    private const int MaxLength = 512;
    private readonly PasswordPolicy? policy = config.Accounts.Passwords.Policy;

    /// <summary>M_INVALID_PARAM, M_PASSWORD_TOO_SHORT, M_WEAK_PASSWORD and its kind.</summary>
    public void Check(string password)
    {
        if (password.Length is 0 or > MaxLength) throw MatrixError.InvalidParam("Invalid password").AsException();
        if (policy is null) return;
        if (password.Length < policy.MinimumLength)
            throw MatrixError.Custom(400, "M_PASSWORD_TOO_SHORT", $"This password must be at least {policy.MinimumLength} characters long").AsException();
        Demand(policy.RequireDigit, password.Any(char.IsAsciiDigit), "M_PASSWORD_NO_DIGIT", "at least one digit");
        Demand(policy.RequireSymbol, password.Any(c => !char.IsLetterOrDigit(c)), "M_PASSWORD_NO_SYMBOL", "at least one symbol");
        Demand(policy.RequireUppercase, password.Any(char.IsUpper), "M_PASSWORD_NO_UPPERCASE", "at least one uppercase letter");
        Demand(policy.RequireLowercase, password.Any(char.IsLower), "M_PASSWORD_NO_LOWERCASE", "at least one lowercase letter");
    }

    private static void Demand(bool wanted, bool has, string code, string what)
    {
        if (wanted && !has) throw MatrixError.Custom(400, code, $"The password must include {what}").AsException();
    }

    public void Write(Utf8JsonWriter w)
    {
        if (policy is null) return;
        if (policy.MinimumLength > 0) w.WriteNumber("m.minimum_length"u8, policy.MinimumLength);
        foreach (var (name, wanted) in (ReadOnlySpan<(string, bool)>)[("m.require_digit", policy.RequireDigit), ("m.require_symbol", policy.RequireSymbol),
            ("m.require_lowercase", policy.RequireLowercase), ("m.require_uppercase", policy.RequireUppercase)])
            if (wanted) w.WriteBoolean(name, true);
    }
}

using System.Text;

namespace Matrix.ClientApi.Account;

/// <summary>Addresses of people outside Matrix. Spec: appendices/#3pid-types</summary>
internal static class Threepids
{
    public const string Email = "email";
    public const string Phone = "msisdn";
    /// <summary>Bytes. Spec: appendices/#3pid-types; RFC 5321 allows 254.</summary>
    private const int MaxEmail = 500;
    /// <summary>Digits of a telephone number. E.164</summary>
    private const int MaxDigits = 15;

    /// <summary>The address as it is kept and compared; null when it is none of its medium.</summary>
    public static string? Canonical(string medium, string address) => medium switch
    {
        Email => CanonicalEmail(address),
        Phone => address.Length is > 0 and <= MaxDigits && address.All(char.IsAsciiDigit) ? address : null,
        _ => null,
    };

    /// <remarks>Synapse folds case too, so one mailbox is one account; the specification lowers domain and name alike.</remarks>
    private static string? CanonicalEmail(string address)
    {
        var at = address.LastIndexOf('@');
        if (at <= 0 || at == address.Length - 1 || Encoding.UTF8.GetByteCount(address) > MaxEmail || address.IndexOf('@', StringComparison.Ordinal) != at) return null;
        foreach (var c in address) if (char.IsControl(c) || char.IsWhiteSpace(c) || c is '<' or '>' or ',' or ';' or '"' or '(' or ')') return null;
        return address.ToLowerInvariant();
    }

    /// <summary>Digits of a telephone number with its country's prefix; null when there is no such country or it cannot be a number.</summary>
    /// <param name="country">Two letters, ISO 3166-1.</param>
    public static string? Msisdn(string country, string number)
    {
        var digits = new string([.. number.Where(char.IsAsciiDigit)]);
        if (number.TrimStart().StartsWith('+')) return Canonical(Phone, digits);
        if (CallingCodes.Of(country) is not { } prefix) return null;
        // 0044..., or the number with its national prefix.
        if (digits.StartsWith("00", StringComparison.Ordinal)) return Canonical(Phone, digits[2..]);
        return Canonical(Phone, prefix + digits.TrimStart('0'));
    }
}

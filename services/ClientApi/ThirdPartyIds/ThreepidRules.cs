using System.Text.RegularExpressions;
using Matrix.ClientApi.Account;
using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.ThirdPartyIds;

/// <summary>Which addresses accounts may have. Synapse: allowed_local_3pids, enable_3pid_changes</summary>
internal sealed class ThreepidRules(HomeserverConfig config)
{
    private readonly (string Medium, Regex Pattern)[] allowed =
        [.. config.Accounts.AllowedLocal3pids.Select(a => (a.Medium, new Regex($@"\A(?:{a.Pattern})", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)))];

    /// <summary>The address in the form in which it is kept; M_INVALID_PARAM when it is none, M_THREEPID_DENIED when it may not be used here.</summary>
    public string Check(string medium, string address)
    {
        var canonical = Threepids.Canonical(medium, address) ?? throw MatrixError.InvalidParam("Unable to parse the address").AsException();
        if (allowed.Length > 0 && !allowed.Any(a => a.Medium == medium && a.Pattern.IsMatch(canonical)))
            throw MatrixError.Custom(403, "M_THREEPID_DENIED", "Your address is not authorized on this server.").AsException();
        return canonical;
    }

    public void RequireChanges()
    {
        if (!config.Accounts.Enable3pidChanges) throw MatrixError.Forbidden("3PID changes are disabled on this server").AsException();
    }

    /// <summary>Where a browser may be sent after a proof: web addresses only. M_INVALID_PARAM.</summary>
    public static string? CheckNextLink(string? link)
    {
        if (string.IsNullOrEmpty(link)) return null;
        return Uri.TryCreate(link, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? link : throw MatrixError.InvalidParam("'next_link' must be a web address").AsException();
    }
}

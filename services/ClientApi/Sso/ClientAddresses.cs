using Matrix.ClientApi.Pages;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso;

/// <summary>Addresses of clients that want a login token.</summary>
internal static class ClientAddresses
{
    private const int MaxLength = 8192;
    /// <summary>What a browser would run or read instead of going there.</summary>
    private static readonly string[] Forbidden = ["javascript", "data", "vbscript", "blob", "file", "about", "filesystem", "view-source"];

    /// <summary>Refuses what is no address that a browser can go to.</summary>
    public static string Require(string? redirectUrl)
    {
        if (redirectUrl is null) throw new PageException(400, "M_MISSING_PARAM", "The address of the client (redirectUrl) is missing.");
        if (redirectUrl.Length > MaxLength || redirectUrl.Any(c => char.IsControl(c) || char.IsWhiteSpace(c) || c == '\\')
            || !Uri.TryCreate(redirectUrl, UriKind.Absolute, out var url) || Forbidden.Contains(url.Scheme.ToLowerInvariant()) || redirectUrl.StartsWith('/'))
            throw new PageException(400, "M_INVALID_PARAM", "The address of the client (redirectUrl) is not one that a browser may be sent to.");
        return redirectUrl;
    }

    /// <summary>The address with this token as the only <c>loginToken</c>. Spec: client-server-api/#handling-the-callback-from-the-authentication-server</summary>
    public static string WithToken(string redirectUrl, string token)
    {
        var hash = redirectUrl.IndexOf('#', StringComparison.Ordinal);
        var (address, fragment) = hash < 0 ? (redirectUrl, "") : (redirectUrl[..hash], redirectUrl[hash..]);
        var mark = address.IndexOf('?', StringComparison.Ordinal);
        var pairs = mark < 0 ? [] : address[(mark + 1)..].Split('&').Where(p => p.Length > 0 && !IsLoginToken(p)).ToList();
        pairs.Add($"loginToken={Uri.EscapeDataString(token)}");
        return $"{(mark < 0 ? address : address[..mark])}?{string.Join('&', pairs)}{fragment}";
    }

    /// <summary>For people: without what follows the path.</summary>
    public static string Display(string redirectUrl) => redirectUrl.Split('?', '#')[0];

    /// <summary>Synapse: whatever begins with an entry; our own fallback page is trusted, too.</summary>
    public static bool IsTrusted(string redirectUrl, HomeserverConfig config) =>
        config.Sso.ClientWhitelist.Any(w => w.Length > 0 && redirectUrl.StartsWith(w, StringComparison.Ordinal))
        || (config.PublicBaseUrl is { } own && redirectUrl.StartsWith(own + "_matrix/static/client/login", StringComparison.Ordinal));

    private static bool IsLoginToken(string pair) => Uri.UnescapeDataString(pair.Split('=')[0]) == "loginToken";
}

namespace Matrix.ClientApi.OAuth;

/// <summary>Which redirect addresses a client may register, and whether one it uses is among them. Spec: client-server-api/#redirect-uri-validation</summary>
internal static class RedirectUris
{
    public const int MaxLength = 2048;

    /// <summary>An https address without user, on the client's host or below it.</summary>
    public static bool IsWeb(string address, Uri client) =>
        IsClean(address) && Uri.TryCreate(address, UriKind.Absolute, out var uri) && uri.Scheme == "https" && uri.UserInfo.Length == 0
        && uri.Fragment.Length == 0 && !address.Contains('#', StringComparison.Ordinal) && IsOnHost(uri.IdnHost, client.IdnHost);

    /// <summary>A scheme of its own, the loopback interface, or an https address that the application claims.</summary>
    public static bool IsNative(string address, Uri client)
    {
        if (!IsClean(address) || address.Contains('#', StringComparison.Ordinal) || !Uri.TryCreate(address, UriKind.Absolute, out var uri)) return false;
        if (uri.Scheme == "https") return IsWeb(address, client);
        if (uri.Scheme == "http") return IsLoopback(uri) && uri.UserInfo.Length == 0 && !HasPort(address);
        // The scheme is the client's host backwards, alone or with more after it; nothing like an authority follows.
        var backwards = string.Join('.', client.IdnHost.Split('.').Reverse());
        var rest = address[(uri.Scheme.Length + 1)..];
        return (uri.Scheme == backwards || uri.Scheme.StartsWith(backwards + ".", StringComparison.Ordinal)) && !rest.StartsWith("//", StringComparison.Ordinal);
    }

    /// <summary>To the letter; on the loopback interface with any port (RFC 8252 7.3).</summary>
    public static bool Matches(string registered, string used)
    {
        if (registered == used) return true;
        if (!IsClean(used) || !Uri.TryCreate(registered, UriKind.Absolute, out var r) || !Uri.TryCreate(used, UriKind.Absolute, out var u)) return false;
        return r.Scheme == "http" && u.Scheme == "http" && IsLoopback(r) && u.UserInfo.Length == 0 && !used.Contains('#', StringComparison.Ordinal)
            && r.Host == u.Host && r.PathAndQuery == u.PathAndQuery;
    }

    public static bool IsOnHost(string host, string clientHost) =>
        host.Equals(clientHost, StringComparison.OrdinalIgnoreCase) || host.EndsWith("." + clientHost, StringComparison.OrdinalIgnoreCase);

    private static bool IsLoopback(Uri uri) => uri.Host is "localhost" or "127.0.0.1" or "[::1]";

    private static bool HasPort(string address)
    {
        var authority = address["http://".Length..].Split('/', '?')[0];
        return authority.LastIndexOf(':') > authority.LastIndexOf(']');
    }

    private static bool IsClean(string address) => address.Length is > 0 and <= MaxLength && address.All(c => c is > ' ' and < (char)127 and not ('\\' or '"' or '<' or '>'));
}

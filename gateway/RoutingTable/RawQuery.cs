namespace Matrix.Gateway.Routing;

/// <summary>A request target as it stands on the wire.</summary>
public static class RawQuery
{
    /// <summary>Splits a target at the first question mark; the query comes without it. An absolute form loses scheme and authority.</summary>
    public static void Split(ReadOnlySpan<char> target, out ReadOnlySpan<char> path, out ReadOnlySpan<char> query)
    {
        target = OriginForm(target);
        var mark = target.IndexOf('?');
        path = mark < 0 ? target : target[..mark];
        query = mark < 0 ? default : target[(mark + 1)..];
    }

    /// <summary><c>http://host/a?b</c> becomes <c>/a?b</c>; what begins with a slash stays.</summary>
    public static ReadOnlySpan<char> OriginForm(ReadOnlySpan<char> target)
    {
        if (target.StartsWith("/") || target.IndexOf("://") is not (> 0 and var scheme)) return target;
        var rest = target[(scheme + 3)..];
        var slash = rest.IndexOfAny('/', '?');
        return slash < 0 ? "/" : rest[slash] == '/' ? rest[slash..] : "/" + rest[slash..].ToString();
    }

    /// <summary>Raw value of a parameter, empty when it is missing.</summary>
    public static ReadOnlySpan<char> Find(ReadOnlySpan<char> query, string name)
    {
        while (!query.IsEmpty)
        {
            var end = query.IndexOf('&');
            var pair = end < 0 ? query : query[..end];
            if (pair.Length > name.Length && pair[name.Length] == '=' && pair.StartsWith(name, StringComparison.Ordinal)) return pair[(name.Length + 1)..];
            if (end < 0) break;
            query = query[(end + 1)..];
        }
        return default;
    }
}

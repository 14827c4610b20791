using System.Text;

namespace Matrix.Gateway.Routing.Affinity;

/// <summary>The sending server's name from <c>Authorization: X-Matrix origin="...",...</c>. Spec: server-server-api/#request-authentication</summary>
internal static class XMatrixOrigin
{
    public static int Write(string? authorization, Span<byte> destination)
    {
        const string scheme = "X-Matrix";
        if (authorization is null || !authorization.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)) return 0;
        var rest = authorization.AsSpan(scheme.Length);
        if (rest.IsEmpty || rest[0] is not (' ' or '\t')) return 0;
        while (!rest.IsEmpty)
        {
            rest = rest.TrimStart(" \t,");
            var equals = rest.IndexOf('=');
            if (equals < 0) return 0;
            var name = rest[..equals].TrimEnd();
            rest = rest[(equals + 1)..].TrimStart();
            var value = TakeValue(ref rest);
            if (name.Equals("origin", StringComparison.OrdinalIgnoreCase))
                return Encoding.UTF8.TryGetBytes(value, destination, out var n) ? n : 0;
        }
        return 0;
    }

    // A server name needs no escapes within quotes, so none are undone.
    private static ReadOnlySpan<char> TakeValue(ref ReadOnlySpan<char> rest)
    {
        if (rest.StartsWith("\""))
        {
            var close = rest[1..].IndexOf('"');
            var quoted = close < 0 ? rest[1..] : rest.Slice(1, close);
            rest = close < 0 ? default : rest[(close + 2)..];
            return quoted;
        }
        var comma = rest.IndexOf(',');
        var value = (comma < 0 ? rest : rest[..comma]).Trim();
        rest = comma < 0 ? default : rest[(comma + 1)..];
        return value;
    }
}

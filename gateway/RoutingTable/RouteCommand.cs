namespace Matrix.Gateway.Routing;

/// <summary><c>route METHOD URL [--header "Name: value"]... [--config FILE]</c></summary>
public sealed record RouteCommand(string Method, string Url, IReadOnlyList<KeyValuePair<string, string>> Headers, string? ConfigFile)
{
    public const string Usage = """
        usage: route METHOD URL [--header "Name: value"]... [--config FILE]

          METHOD   GET, PUT, POST, DELETE, ...
          URL      a path such as /_matrix/client/v3/sync?since=s1, or a whole URL

        Prints route class, service group and affinity key of the request as JSON.
        """;

    /// <summary>Null and a sentence when the arguments make no sense.</summary>
    public static RouteCommand? Parse(IReadOnlyList<string> args, out string fault)
    {
        var words = new List<string>();
        var headers = new List<KeyValuePair<string, string>>();
        string? config = null;
        fault = "";
        for (var i = 0; i < args.Count; i++)
        {
            var (name, value) = SplitOption(args[i]);
            switch (name)
            {
                case "--header" or "-H" or "--config":
                    if (value is null && ++i == args.Count) { fault = $"{name} needs a value."; return null; }
                    value ??= args[i];
                    if (name == "--config") { config = value; break; }
                    var colon = value.IndexOf(':', StringComparison.Ordinal);
                    if (colon <= 0) { fault = $"Not a header: {value}"; return null; }
                    headers.Add(new(value[..colon].Trim(), value[(colon + 1)..].Trim()));
                    break;
                default:
                    if (args[i].StartsWith('-')) { fault = $"Unknown option {args[i]}"; return null; }
                    words.Add(args[i]);
                    break;
            }
        }
        if (words.Count != 2) { fault = words.Count < 2 ? "METHOD and URL are needed." : $"Too many arguments: {words[2]}"; return null; }
        var method = words[0].ToUpperInvariant();
        if (!method.All(char.IsAsciiLetter)) { fault = $"Not a method: {words[0]}"; return null; }
        if (!LooksLikeUrl(words[1])) { fault = $"Not a URL: {words[1]}"; return null; }
        return new(method, words[1], headers, config);
    }

    private static (string Name, string? Value) SplitOption(string arg)
    {
        if (!arg.StartsWith("--", StringComparison.Ordinal)) return (arg, null);
        var equals = arg.IndexOf('=', StringComparison.Ordinal);
        return equals < 0 ? (arg, null) : (arg[..equals], arg[(equals + 1)..]);
    }

    private static bool LooksLikeUrl(string url) =>
        !url.Any(c => char.IsWhiteSpace(c) || char.IsControl(c))
        && (url.StartsWith('/') || (url.StartsWith("http", StringComparison.OrdinalIgnoreCase) && Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"));
}

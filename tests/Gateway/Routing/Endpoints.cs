namespace Matrix.Gateway.Tests.Routing;

/// <summary>Every operation that the specification has a homeserver serve, and paths of Synapse that its clients and administrators call.</summary>
internal static class Endpoints
{
    /// <summary>With placeholders in braces.</summary>
    public static readonly IReadOnlyList<(string Method, string Path)> Templates =
    [
        .. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Data", "endpoints.csv")).Skip(1).Select(l => l.Split(','))
            .Where(c => c[0] is "client-server" or "server-server").Select(c => (c[1], c[2].Trim())).Distinct(),
        .. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Data", "more-endpoints.txt")).Where(l => l.Length > 0 && l[0] != '#')
            .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(c => (c[0], c[1])),
    ];

    public static IEnumerable<(string Method, string Path)> All => Templates.Select(t => (t.Method, Fill(t.Path, Usual)));

    public static string Fill(string template, Func<string, string> value)
    {
        while (template.IndexOf('{') is >= 0 and var open)
        {
            var close = template.IndexOf('}', open);
            template = template[..open] + value(template[(open + 1)..close]) + template[(close + 1)..];
        }
        return template;
    }

    private static string Usual(string parameter) => parameter switch
    {
        "roomId" or "room_id" => "!room:example.org",
        "userId" or "user_id" => "@alice:example.org",
        "eventId" or "event_id" => "$event",
        "roomAlias" or "roomIdOrAlias" => "%23alias:example.org",
        _ => parameter,
    };
}

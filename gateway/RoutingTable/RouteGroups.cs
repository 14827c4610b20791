namespace Matrix.Gateway.Routing;

/// <summary>Which service group answers a class: the configured one, else that of the class it follows, else the class's service.</summary>
public sealed class RouteGroups
{
    private readonly string[] groups;

    public RouteGroups(IReadOnlyDictionary<string, string> configured)
    {
        Faults = [.. configured.Keys.Where(name => RouteClass.Find(name) is null or { Name: "gateway" }).Order(StringComparer.Ordinal)
            .Select(name => $"There is no route class '{name}'. Route classes: {string.Join(", ", RouteClass.All.Where(c => c != RouteClass.OwnAnswer))}.")];
        groups = [.. RouteClass.All.Select(c => Resolve(c, configured))];
    }

    public static RouteGroups None { get; } = new(new Dictionary<string, string>());

    /// <summary>Sentences about names that mean nothing; the rest is applied.</summary>
    public IReadOnlyList<string> Faults { get; }

    public string Of(RouteClass routeClass) => groups[routeClass.Index];

    private static string Resolve(RouteClass routeClass, IReadOnlyDictionary<string, string> configured)
    {
        for (var c = routeClass; c is not null; c = c.Follows)
            if (c != RouteClass.OwnAnswer && configured.TryGetValue(c.Name, out var group) && group.Length > 0) return group;
        return routeClass.Service;
    }
}

using System.Collections;

namespace Matrix.Gateway.Routing.Rows;

/// <summary>Lets the row files read like a table.</summary>
internal sealed class RowList(RowSource source) : IEnumerable<RouteRow>
{
    private readonly List<RouteRow> rows = [];

    public void Add(RouteClass routeClass, string pattern) => Add(routeClass, AffinityKind.None, MethodSet.Any, pattern);

    public void Add(RouteClass routeClass, AffinityKind key, string pattern) => Add(routeClass, key, MethodSet.Any, pattern);

    public void Add(RouteClass routeClass, AffinityKind key, MethodSet methods, string pattern) =>
        rows.Add(new(routeClass, methods, pattern, key, source));

    public void Add(RouteRow row) => rows.Add(row);

    public IEnumerator<RouteRow> GetEnumerator() => rows.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

using Matrix.Gateway.Routing.Matching;
using Matrix.Gateway.Routing.Rows;

namespace Matrix.Gateway.Routing;

/// <summary>What the table says of a request.</summary>
public readonly record struct RouteMatch(RouteClass Class, AffinityKind Key);

/// <summary>
/// The routing table: rows in order, the first that fits the method and the raw path decides; what fits none is <see cref="RouteClass.Client"/>.
/// Equal to trying every row's regular expression in turn, at the price of a walk through a prefix tree.
/// </summary>
public sealed class RouteTable
{
    private readonly RouteRow[] rows;
    private readonly PrefixTree tree;

    public RouteTable(IEnumerable<RouteRow> rows)
    {
        this.rows = [.. rows];
        tree = new([.. this.rows.SelectMany((row, i) => Reachable(i) ? GlobParser.Parse(row.Pattern).Select(glob => new PrefixTree.Candidate(i, glob)) : [])]);
    }

    /// <summary>The documentation repeats patterns; whose methods are all taken by an earlier row of the same pattern, that row can never decide.</summary>
    private bool Reachable(int row) =>
        (rows[row].Methods & ~rows[..row].Where(r => r.Pattern == rows[row].Pattern).Aggregate(MethodSet.None, (all, r) => all | r.Methods)) != 0;

    /// <summary>The documented rows with ours around them.</summary>
    public static RouteTable Default { get; } = new([.. FirstRows.Rows, .. Page2022Rows.Rows, .. PageNewestRows.Rows, .. LastRows.Rows]);

    public IReadOnlyList<RouteRow> Rows => rows;

    /// <summary>The row that decides, or null.</summary>
    /// <param name="path">As the client wrote it, without the query.</param>
    public RouteRow? FindRow(MethodSet method, ReadOnlySpan<char> path)
    {
        foreach (ref readonly var candidate in tree.Find(path))
        {
            var row = rows[candidate.Row];
            if ((row.Methods & method) != 0 && candidate.Glob.MatchesRest(path[candidate.Glob.Prefix.Length..])) return row;
        }
        return null;
    }

    /// <param name="path">As the client wrote it, without the query.</param>
    /// <param name="query">Without the question mark.</param>
    public RouteMatch Match(MethodSet method, ReadOnlySpan<char> path, ReadOnlySpan<char> query)
    {
        var row = FindRow(method, path);
        if (row is null) return new(RouteClass.Client, AffinityKind.None);
        if (row.Without is { } without && RawQuery.Find(query, without.Parameter).IsEmpty) return new(without.Class, row.Key);
        return new(row.Class, row.Key);
    }
}

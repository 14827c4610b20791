namespace Matrix.Gateway.Routing.Matching;

/// <summary>
/// Finds the alternatives that a path can match at all by their literal prefixes: a radix tree whose nodes hold, in row order, every alternative whose
/// prefix the path has when it comes to rest there.
/// </summary>
internal sealed class PrefixTree
{
    /// <param name="Row">Place in the table.</param>
    internal readonly record struct Candidate(int Row, Glob Glob);

    private sealed class Node(string edge)
    {
        public string Edge = edge;
        public char[] Firsts = [];
        public Node[] Children = [];
        public Candidate[] Candidates = [];
    }

    private readonly Node root = new("");

    public PrefixTree(IReadOnlyCollection<Candidate> candidates)
    {
        foreach (var prefix in candidates.Select(c => c.Glob.Prefix).Distinct(StringComparer.Ordinal)) Insert(root, prefix);
        Fill(root, "", candidates);
    }

    /// <summary>All candidates for a path, in row order.</summary>
    public ReadOnlySpan<Candidate> Find(ReadOnlySpan<char> path)
    {
        var node = root;
        while (!path.IsEmpty)
        {
            var i = node.Firsts.AsSpan().IndexOf(path[0]);
            if (i < 0) break;
            var child = node.Children[i];
            if (!path.StartsWith(child.Edge, StringComparison.Ordinal)) break;
            path = path[child.Edge.Length..];
            node = child;
        }
        return node.Candidates;
    }

    private static void Insert(Node node, string text)
    {
        if (text.Length == 0) return;
        var i = Array.IndexOf(node.Firsts, text[0]);
        if (i < 0)
        {
            node.Firsts = [.. node.Firsts, text[0]];
            node.Children = [.. node.Children, new Node(text)];
            return;
        }
        var child = node.Children[i];
        var common = text.AsSpan().CommonPrefixLength(child.Edge);
        if (common < child.Edge.Length)
        {
            var split = new Node(child.Edge[..common]) { Firsts = [child.Edge[common]], Children = [child] };
            child.Edge = child.Edge[common..];
            node.Children[i] = split;
            child = split;
        }
        Insert(child, text[common..]);
    }

    private static void Fill(Node node, string path, IReadOnlyCollection<Candidate> candidates)
    {
        path += node.Edge;
        node.Candidates = [.. candidates.Where(c => path.StartsWith(c.Glob.Prefix, StringComparison.Ordinal)).OrderBy(c => c.Row)];
        foreach (var child in node.Children) Fill(child, path, candidates);
    }
}

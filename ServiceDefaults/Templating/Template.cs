using System.Text;

namespace Matrix.ServiceDefaults.Templating;

/// <summary>Writes a piece of a template.</summary>
internal delegate void Node(Scope scope, StringBuilder output);

/// <summary>A named part that a template which extends this one may replace.</summary>
internal sealed record Block(string Name, Node Body);

/// <summary>
/// A template in the part of Jinja that Synapse's own templates and mapping settings use: output with filters, <c>if</c>, <c>for</c>, <c>set</c>,
/// <c>include</c>, <c>extends</c> and <c>block</c>, comments. Values are encoded for HTML unless said otherwise.
/// </summary>
internal sealed class Template
{
    private readonly Node body;
    private readonly Template? parent;
    private readonly IReadOnlyDictionary<string, Block> blocks;

    internal Template(Node body, Template? parent, Dictionary<string, Block> blocks, IReadOnlyList<string> sources)
    {
        this.body = body;
        this.parent = parent;
        Sources = [.. sources, .. parent?.Sources ?? []];
        var all = new Dictionary<string, Block>(StringComparer.Ordinal);
        foreach (var (name, block) in parent?.blocks ?? new Dictionary<string, Block>()) all[name] = block;
        foreach (var (name, block) in blocks) all[name] = block;
        this.blocks = all;
    }

    /// <summary>The texts that it is made of: its own, what it includes and extends.</summary>
    public IReadOnlyList<string> Sources { get; }

    /// <param name="load">Finds the text of an included or extended template; null: there are none to be found.</param>
    public static Template Parse(string text, string name = "template", Func<string, string?>? load = null) => new TemplateParser(text, name, load, 0).Parse();

    public string Render(IReadOnlyDictionary<string, object?> values, bool encode = true)
    {
        var output = new StringBuilder();
        var root = this;
        while (root.parent is { } up) root = up;
        root.body(new Scope(values, encode) { Blocks = blocks }, output);
        return output.ToString();
    }

    internal void Include(Scope scope, StringBuilder output) => body(scope.Inner(), output);
}

using System.Text;

namespace Matrix.ServiceDefaults.Templating;

/// <summary>Reads a whole template.</summary>
internal sealed class TemplateParser
{
    private const int MaxDepth = 32;
    private readonly Func<string, string?>? load;
    private readonly int level;
    private readonly TokenReader tokens;
    private readonly ExpressionParser expressions;
    private readonly Dictionary<string, Block> blocks = new(StringComparer.Ordinal);
    private readonly List<string> sources;
    private Template? parent;
    private int depth;

    public TemplateParser(string text, string name, Func<string, string?>? load, int level)
    {
        (this.load, this.level) = (load, level);
        tokens = new(Lexer.Read(text, name), name);
        expressions = new(tokens);
        sources = [text];
        if (level > 8) throw tokens.Fault("templates include each other in a circle");
    }

    public Template Parse()
    {
        var body = Until();
        if (!tokens.Is(TokenKind.End)) throw tokens.Fault($"'{tokens.Current.Value}' ends nothing");
        return new(body, parent, blocks, sources);
    }

    /// <summary>Everything up to a statement with one of these names, which is not taken yet.</summary>
    private Node Until(params string[] ends)
    {
        if (++depth > MaxDepth) throw tokens.Fault("statements are nested too deeply");
        var nodes = new List<Node>();
        while (!tokens.Is(TokenKind.End))
        {
            if (tokens.Is(TokenKind.Text))
            {
                var literal = tokens.Take(TokenKind.Text, "text");
                nodes.Add((_, o) => o.Append(literal));
            }
            else if (tokens.Is(TokenKind.OpenOutput))
            {
                tokens.Take(TokenKind.OpenOutput, "");
                var value = expressions.Parse();
                tokens.Take(TokenKind.CloseOutput, "}}");
                nodes.Add((s, o) => TemplateValue.Write(value(s), s.Encode, o));
            }
            else
            {
                tokens.Take(TokenKind.Open, "{%");
                if (ends.Any(tokens.IsName)) break;
                nodes.Add(Statement());
            }
        }
        if (tokens.Is(TokenKind.End) && ends.Length > 0) throw tokens.Fault($"{{% {ends[^1]} %}} is missing");
        depth--;
        Node[] all = [.. nodes];
        return (s, o) => { foreach (var node in all) node(s, o); };
    }

    private Node Statement()
    {
        var keyword = tokens.Name();
        switch (keyword)
        {
            case "if": return If();
            case "for": return For();
            case "set": return Set();
            case "block": return BlockStatement();
            case "include": return Include();
            case "extends":
                parent = Load();
                Close();
                return (_, _) => { };
            default: throw tokens.Fault($"there is no statement '{keyword}'");
        }
    }

    private void Close() => tokens.Take(TokenKind.Close, "%}");

    private Node If()
    {
        var branches = new List<(Expression? Condition, Node Body)>();
        var condition = expressions.Parse();
        Close();
        branches.Add((condition, Until("elif", "else", "endif")));
        while (true)
        {
            if (tokens.TakeName("elif"))
            {
                var next = expressions.Parse();
                Close();
                branches.Add((next, Until("elif", "else", "endif")));
            }
            else if (tokens.TakeName("else"))
            {
                Close();
                branches.Add((null, Until("endif")));
            }
            else
            {
                tokens.Name();
                Close();
                break;
            }
        }
        return (s, o) =>
        {
            foreach (var (c, body) in branches)
            {
                if (c is not null && !TemplateValue.IsTrue(c(s))) continue;
                body(s, o);
                return;
            }
        };
    }

    private Node For()
    {
        var item = tokens.Name();
        if (!tokens.TakeName("in")) throw tokens.Fault("'in' is missing");
        var list = expressions.Parse();
        Close();
        var body = Until("else", "endfor");
        Node? otherwise = null;
        if (tokens.TakeName("else"))
        {
            Close();
            otherwise = Until("endfor");
        }
        tokens.Name();
        Close();
        return (s, o) =>
        {
            var items = list(s) as IReadOnlyList<object?> ?? [];
            if (items.Count == 0) otherwise?.Invoke(s, o);
            for (var i = 0; i < items.Count; i++)
            {
                var inner = s.Inner();
                inner.Set(item, items[i]);
                inner.Set("loop", new Dictionary<string, object?> { ["index"] = i + 1L, ["index0"] = (long)i, ["first"] = i == 0, ["last"] = i == items.Count - 1 });
                body(inner, o);
            }
        };
    }

    private Node Set()
    {
        var variable = tokens.Name();
        tokens.Symbol("=");
        var value = expressions.Parse();
        Close();
        return (s, _) => s.Set(variable, value(s));
    }

    private Node BlockStatement()
    {
        var blockName = tokens.Name();
        Close();
        var body = Until("endblock");
        tokens.Name();
        if (tokens.Is(TokenKind.Name)) tokens.Name();
        Close();
        blocks[blockName] = new(blockName, body);
        return (s, o) => (s.Blocks.TryGetValue(blockName, out var own) ? own.Body : body)(s.Inner(), o);
    }

    private Node Include()
    {
        var included = Load();
        sources.AddRange(included.Sources);
        while (!tokens.Is(TokenKind.Close)) tokens.Name();
        Close();
        return included.Include;
    }

    private Template Load()
    {
        var file = tokens.Take(TokenKind.String, "the name of a template");
        var found = load?.Invoke(file) ?? throw tokens.Fault($"there is no template {file}");
        return new TemplateParser(found, file, load, level + 1).Parse();
    }
}

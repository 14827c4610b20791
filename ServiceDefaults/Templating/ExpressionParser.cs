using System.Globalization;

namespace Matrix.ServiceDefaults.Templating;

/// <summary>Computes a value from the names in scope.</summary>
internal delegate object? Expression(Scope scope);

/// <summary>Reads an expression: literals, names, members, calls of methods, filters, tests, comparisons, <c>a if b else c</c>.</summary>
internal sealed class ExpressionParser(TokenReader tokens)
{
    private const int MaxDepth = 64;
    private int depth;

    public Expression Parse()
    {
        if (++depth > MaxDepth) throw tokens.Fault("the expression is nested too deeply");
        var value = Or();
        if (tokens.TakeName("if"))
        {
            var condition = Or();
            var otherwise = tokens.TakeName("else") ? Parse() : _ => null;
            var then = value;
            value = s => TemplateValue.IsTrue(condition(s)) ? then(s) : otherwise(s);
        }
        depth--;
        return value;
    }

    private Expression Or()
    {
        var left = And();
        while (tokens.TakeName("or"))
        {
            var (a, b) = (left, And());
            left = s => a(s) is var v && TemplateValue.IsTrue(v) ? v : b(s);
        }
        return left;
    }

    private Expression And()
    {
        var left = Not();
        while (tokens.TakeName("and"))
        {
            var (a, b) = (left, Not());
            left = s => a(s) is var v && !TemplateValue.IsTrue(v) ? v : b(s);
        }
        return left;
    }

    private Expression Not()
    {
        if (!tokens.TakeName("not")) return Comparison();
        if (++depth > MaxDepth) throw tokens.Fault("the expression is nested too deeply");
        var value = Not();
        depth--;
        return s => !TemplateValue.IsTrue(value(s));
    }

    private Expression Comparison()
    {
        var left = Sum();
        while (true)
        {
            var a = left;
            if (tokens.TakeSymbol("==")) { var b = Sum(); left = s => TemplateValue.AreEqual(a(s), b(s)); }
            else if (tokens.TakeSymbol("!=")) { var b = Sum(); left = s => !TemplateValue.AreEqual(a(s), b(s)); }
            else if (tokens.TakeSymbol("<=")) { var b = Sum(); left = s => TemplateValue.Compare(a(s), b(s)) <= 0; }
            else if (tokens.TakeSymbol(">=")) { var b = Sum(); left = s => TemplateValue.Compare(a(s), b(s)) >= 0; }
            else if (tokens.TakeSymbol("<")) { var b = Sum(); left = s => TemplateValue.Compare(a(s), b(s)) < 0; }
            else if (tokens.TakeSymbol(">")) { var b = Sum(); left = s => TemplateValue.Compare(a(s), b(s)) > 0; }
            else if (tokens.TakeName("in")) { var b = Sum(); left = s => TemplateValue.Contains(b(s), a(s)); }
            else if (tokens.TakeNames("not", "in")) { var b = Sum(); left = s => !TemplateValue.Contains(b(s), a(s)); }
            else if (tokens.TakeName("is")) left = Test(a);
            else return left;
        }
    }

    private Expression Test(Expression value)
    {
        var negated = tokens.TakeName("not");
        var name = tokens.Name();
        var test = Filters.FindTest(name) ?? throw tokens.Fault($"there is no test '{name}'");
        return s => test(value(s)) != negated;
    }

    private Expression Sum()
    {
        var left = Postfix();
        while (true)
        {
            var a = left;
            if (tokens.TakeSymbol("~")) { var b = Postfix(); left = s => TemplateValue.Text(a(s)) + TemplateValue.Text(b(s)); }
            else if (tokens.TakeSymbol("+")) { var b = Postfix(); left = s => Add(a(s), b(s)); }
            else return left;
        }
    }

    private static object? Add(object? a, object? b) => (a, b) switch
    {
        (long x, long y) => x + y,
        (IReadOnlyList<object?> x, IReadOnlyList<object?> y) => x.Concat(y).ToList(),
        _ => TemplateValue.Text(a) + TemplateValue.Text(b),
    };

    private Expression Postfix()
    {
        var value = Primary();
        while (true)
        {
            var of = value;
            if (tokens.TakeSymbol("."))
            {
                var name = tokens.Name();
                value = tokens.TakeSymbol("(") ? Method(of, name) : s => TemplateValue.Member(of(s), name);
            }
            else if (tokens.TakeSymbol("[")) value = Index(of);
            else if (tokens.TakeSymbol("|"))
            {
                var name = tokens.Name();
                var filter = Filters.Find(name) ?? throw tokens.Fault($"there is no filter '{name}'");
                var arguments = tokens.TakeSymbol("(") ? Arguments() : [];
                value = s => filter(of(s), [.. arguments.Select(a => a(s))]);
            }
            else return value;
        }
    }

    private Expression Method(Expression of, string name)
    {
        var method = Filters.FindMethod(name) ?? throw tokens.Fault($"there is no method '{name}'");
        var arguments = Arguments();
        return s => method(of(s), [.. arguments.Select(a => a(s))]);
    }

    private Expression Index(Expression of)
    {
        var from = tokens.IsSymbol(":") ? null : Parse();
        if (tokens.TakeSymbol(":"))
        {
            var to = tokens.IsSymbol("]") ? null : Parse();
            tokens.Symbol("]");
            return s => TemplateValue.Slice(of(s), from?.Invoke(s), to?.Invoke(s));
        }
        tokens.Symbol("]");
        return s => TemplateValue.Member(of(s), from!(s));
    }

    private List<Expression> Arguments()
    {
        var arguments = new List<Expression>();
        while (!tokens.TakeSymbol(")"))
        {
            if (arguments.Count > 0) tokens.Symbol(",");
            // A named argument counts by its place: filters here have few.
            tokens.TakeArgumentName();
            arguments.Add(Parse());
        }
        return arguments;
    }

    private Expression Primary()
    {
        if (tokens.TakeSymbol("("))
        {
            var inner = Parse();
            tokens.Symbol(")");
            return inner;
        }
        if (tokens.TakeSymbol("["))
        {
            var items = new List<Expression>();
            while (!tokens.TakeSymbol("]"))
            {
                if (items.Count > 0) tokens.Symbol(",");
                items.Add(Parse());
            }
            return s => items.Select(i => i(s)).ToList();
        }
        if (tokens.TakeSymbol("-"))
        {
            var number = -Number(tokens.Take(TokenKind.Number, "a number"));
            return _ => number;
        }
        if (tokens.Is(TokenKind.Number))
        {
            var number = Number(tokens.Take(TokenKind.Number, "a number"));
            return _ => number;
        }
        if (tokens.Is(TokenKind.String))
        {
            var text = tokens.Take(TokenKind.String, "a text");
            return _ => text;
        }
        var name = tokens.Name();
        return name switch
        {
            "true" or "True" => _ => true,
            "false" or "False" => _ => false,
            "none" or "None" => _ => null,
            _ => s => s.Find(name),
        };
    }

    private long Number(string text) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw tokens.Fault($"{text} is too large");
}

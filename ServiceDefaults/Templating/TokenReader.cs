namespace Matrix.ServiceDefaults.Templating;

/// <summary>Walks over the tokens of a template; what does not fit is a fault with its line.</summary>
internal sealed class TokenReader(List<Token> tokens, string templateName)
{
    private int at;

    public Token Current => tokens[at];

    public TemplateException Fault(string problem) => new($"{templateName}, line {Current.Line}: {problem}");

    public bool Is(TokenKind kind) => Current.Kind == kind;
    public bool IsSymbol(string symbol) => Current.Kind == TokenKind.Symbol && Current.Value == symbol;
    public bool IsName(string name) => Current.Kind == TokenKind.Name && Current.Value == name;

    public string Take(TokenKind kind, string what)
    {
        if (Current.Kind != kind) throw Fault($"{what} is missing");
        return tokens[at++].Value;
    }

    public string Name() => Take(TokenKind.Name, "a name");

    public bool TakeName(string name)
    {
        if (!IsName(name)) return false;
        at++;
        return true;
    }

    public bool TakeNames(string first, string second)
    {
        if (!IsName(first) || tokens[at + 1] is not { Kind: TokenKind.Name } next || next.Value != second) return false;
        at += 2;
        return true;
    }

    public bool TakeSymbol(string symbol)
    {
        if (!IsSymbol(symbol)) return false;
        at++;
        return true;
    }

    public void Symbol(string symbol)
    {
        if (!TakeSymbol(symbol)) throw Fault($"'{symbol}' is missing");
    }

    public void TakeArgumentName()
    {
        if (Current.Kind == TokenKind.Name && tokens[at + 1] is { Kind: TokenKind.Symbol, Value: "=" }) at += 2;
    }
}

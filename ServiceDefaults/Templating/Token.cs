using System.Text;

namespace Matrix.ServiceDefaults.Templating;

internal enum TokenKind { Text, Name, String, Number, Symbol, Open, Close, OpenOutput, CloseOutput, End }

/// <summary>A piece of a template. <c>Open</c> and <c>Close</c> are the marks of statements.</summary>
internal readonly record struct Token(TokenKind Kind, string Value, int Line);

/// <summary>Cuts a template into text, statements and expressions.</summary>
internal static class Lexer
{
    private static readonly string[] Symbols = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ".", ",", "|", "~", "+", "-", ":", "=", "%", "/", "*"];

    public static List<Token> Read(string text, string name)
    {
        var tokens = new List<Token>();
        var at = 0;
        var trimLeft = false;
        while (at < text.Length)
        {
            var open = FindOpen(text, at);
            var literal = text[at..(open < 0 ? text.Length : open)];
            if (trimLeft) literal = literal.TrimStart();
            if (open < 0) { Add(tokens, TokenKind.Text, literal, Line(text, at)); break; }
            var mark = text[open + 1];
            var inside = open + 2;
            if (inside < text.Length && (text[inside] is '-' or '+'))
            {
                if (text[inside] == '-') literal = literal.TrimEnd();
                inside++;
            }
            if (literal.Length > 0) Add(tokens, TokenKind.Text, literal, Line(text, at));
            var close = mark switch { '{' => "}}", '%' => "%}", _ => "#}" };
            int end;
            if (mark == '#')
            {
                end = text.IndexOf(close, inside, StringComparison.Ordinal);
                if (end < 0) throw new TemplateException($"{name}, line {Line(text, open)}: the comment does not end");
            }
            else
            {
                tokens.Add(new(mark == '{' ? TokenKind.OpenOutput : TokenKind.Open, "", Line(text, open)));
                end = ReadExpression(text, inside, close, name, tokens);
                tokens.Add(new(mark == '{' ? TokenKind.CloseOutput : TokenKind.Close, "", Line(text, end)));
            }
            trimLeft = end > 0 && text[end - 1] == '-';
            at = end + 2;
        }
        tokens.Add(new(TokenKind.End, "", Line(text, text.Length)));
        return tokens;
    }

    private static void Add(List<Token> tokens, TokenKind kind, string value, int line)
    {
        if (value.Length > 0) tokens.Add(new(kind, value, line));
    }

    private static int FindOpen(string text, int from)
    {
        for (var i = from; i < text.Length - 1; i++)
            if (text[i] == '{' && (text[i + 1] is '{' or '%' or '#')) return i;
        return -1;
    }

    /// <summary>Tokens up to <paramref name="close"/>; where it stands.</summary>
    private static int ReadExpression(string text, int at, string close, string name, List<Token> tokens)
    {
        while (true)
        {
            while (at < text.Length && char.IsWhiteSpace(text[at])) at++;
            if (at >= text.Length) throw new TemplateException($"{name}, line {Line(text, at)}: {close} is missing");
            if (string.CompareOrdinal(text, at, close, 0, 2) == 0) return at;
            if ((text[at] is '-' or '+') && string.CompareOrdinal(text, at + 1, close, 0, 2) == 0) return at + 1;
            var c = text[at];
            if (c is '\'' or '"') at = ReadString(text, at, name, tokens);
            else if (char.IsAsciiDigit(c))
            {
                var end = at;
                while (end < text.Length && char.IsAsciiDigit(text[end])) end++;
                tokens.Add(new(TokenKind.Number, text[at..end], Line(text, at)));
                at = end;
            }
            else if (char.IsAsciiLetter(c) || c == '_')
            {
                var end = at;
                while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] == '_')) end++;
                tokens.Add(new(TokenKind.Name, text[at..end], Line(text, at)));
                at = end;
            }
            else
            {
                var symbol = Array.Find(Symbols, s => string.CompareOrdinal(text, at, s, 0, s.Length) == 0)
                    ?? throw new TemplateException($"{name}, line {Line(text, at)}: '{c}' means nothing here");
                tokens.Add(new(TokenKind.Symbol, symbol, Line(text, at)));
                at += symbol.Length;
            }
        }
    }

    private static int ReadString(string text, int at, string name, List<Token> tokens)
    {
        var quote = text[at];
        var value = new StringBuilder();
        for (var i = at + 1; i < text.Length; i++)
        {
            if (text[i] == quote)
            {
                tokens.Add(new(TokenKind.String, value.ToString(), Line(text, at)));
                return i + 1;
            }
            if (text[i] == '\\' && i + 1 < text.Length)
            {
                i++;
                value.Append(text[i] switch { 'n' => '\n', 't' => '\t', _ => text[i] });
            }
            else value.Append(text[i]);
        }
        throw new TemplateException($"{name}, line {Line(text, at)}: the text does not end");
    }

    private static int Line(string text, int at) => 1 + text.AsSpan(0, Math.Min(at, text.Length)).Count('\n');
}

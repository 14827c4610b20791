using System.Text;
using Matrix.Primitives;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Matrix.Web.Routing;

/// <summary>
/// Kestrel decodes paths but leaves %2F, collapses dot segments, and routing ignores case; Matrix ids hold '/', '%' and '..'. So routes are matched on
/// the target as it came, literals are compared ordinally, and route values are decoded exactly once, to strict UTF-8.
/// </summary>
internal static class RawPath
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Before routing: the path as the client wrote it.</summary>
    public static void UseRawTarget(HttpContext context)
    {
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        if (target.Length == 0 || target[0] != '/') return;     // absolute form, asterisk: Kestrel has split those
        var query = target.IndexOf('?', StringComparison.Ordinal);
        context.Request.Path = new PathString(query < 0 ? target : target[..query]);
    }

    /// <summary>After routing: false when a literal segment differs in case (the route was not meant).</summary>
    public static bool LiteralsMatch(HttpContext context, RouteEndpoint endpoint)
    {
        var rest = context.Request.Path.Value.AsSpan();
        foreach (var segment in endpoint.RoutePattern.PathSegments)
        {
            if (rest.IsEmpty) break;
            rest = rest[1..];
            var slash = rest.IndexOf('/');
            var text = slash < 0 ? rest : rest[..slash];
            if (segment.Parts is [RoutePatternLiteralPart literal] && !text.SequenceEqual(literal.Content)) return false;
            rest = slash < 0 ? default : rest[slash..];
        }
        return true;
    }

    /// <summary>After routing: every route value percent-decoded once. Broken escapes and bytes that are not UTF-8 are an error (400).</summary>
    public static void DecodeValues(RouteValueDictionary values)
    {
        List<KeyValuePair<string, string>>? decoded = null;
        foreach (var (name, value) in values)
            if (value is string text && text.Contains('%', StringComparison.Ordinal))
                (decoded ??= []).Add(new(name, Decode(text)));
        if (decoded is null) return;
        foreach (var (name, text) in decoded) values[name] = text;
    }

    public static string Decode(string text)
    {
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        var n = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '%') { n += Encoding.UTF8.GetBytes(text.AsSpan(i, char.IsHighSurrogate(text[i]) && i + 1 < text.Length ? 2 : 1), bytes.AsSpan(n)); if (char.IsHighSurrogate(text[i])) i++; continue; }
            if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                throw MatrixError.InvalidParam("Broken percent-encoding in the path.").AsException();
            bytes[n++] = Convert.ToByte(text.Substring(i + 1, 2), 16);
            i += 2;
        }
        try
        {
            return Strict.GetString(bytes, 0, n);
        }
        catch (DecoderFallbackException)
        {
            throw MatrixError.InvalidParam("The path is not valid UTF-8.").AsException();
        }
    }
}

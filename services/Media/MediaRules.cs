using System.Text;

namespace Matrix.Media;

/// <summary>What may be said about content when it is served. Spec: client-server-api/#content-repository</summary>
internal static class MediaRules
{
    public const string DefaultContentType = "application/octet-stream";
    public const string ContentSecurityPolicy =
        "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';";
    private const int MaxContentTypeLength = 255;
    private const int MaxNameLength = 255;

    /// <summary>Spec: client-server-api/#serving-inline-content</summary>
    private static readonly HashSet<string> Inline = new(StringComparer.OrdinalIgnoreCase)
    {
        "text/css", "text/plain", "text/csv", "application/json", "application/ld+json",
        "image/jpeg", "image/gif", "image/png", "image/apng", "image/webp", "image/avif",
        "video/mp4", "video/webm", "video/ogg", "video/quicktime",
        "audio/mp4", "audio/webm", "audio/aac", "audio/mpeg", "audio/ogg", "audio/wave", "audio/wav", "audio/x-wav", "audio/x-pn-wav",
        "audio/flac", "audio/x-flac",
    };

    /// <summary>Spec: client-server-api/#matrix-content-mxc-uris. Anything else could walk through directories.</summary>
    public static bool IsMediaId(string id)
    {
        if (id.Length is 0 or > 255) return false;
        foreach (var c in id) if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-')) return false;
        return true;
    }

    /// <summary>What the uploader said, when it is fit to be said again in a header.</summary>
    public static string ContentType(string? given)
    {
        if (string.IsNullOrWhiteSpace(given) || given.Length > MaxContentTypeLength) return DefaultContentType;
        foreach (var c in given) if (c is < ' ' or > '~') return DefaultContentType;
        return given.Trim();
    }

    /// <summary>Null for no name. Control characters have no place in a name; nor has a name of any length.</summary>
    public static string? FileName(string? given)
    {
        if (string.IsNullOrEmpty(given)) return null;
        var name = new StringBuilder(Math.Min(given.Length, MaxNameLength));
        foreach (var rune in given.EnumerateRunes())
        {
            if (Rune.IsControl(rune)) continue;
            if (name.Length + rune.Utf16SequenceLength > MaxNameLength) break;
            name.Append(rune.ToString());
        }
        return name.Length == 0 ? null : name.ToString();
    }

    /// <summary>Header value: inline for what browsers only render, else attachment; the name in the form of RFC 6266 that fits it.</summary>
    public static string ContentDisposition(string contentType, string? fileName)
    {
        var semicolon = contentType.IndexOf(';', StringComparison.Ordinal);
        var bare = (semicolon < 0 ? contentType : contentType[..semicolon]).Trim();
        var kind = Inline.Contains(bare) ? "inline" : "attachment";
        if (fileName is null) return kind;
        return IsToken(fileName) ? $"{kind}; filename={fileName}" : $"{kind}; filename*=utf-8''{Uri.EscapeDataString(fileName)}";
    }

    public static bool IsImage(string contentType) => contentType.StartsWith("image/", StringComparison.OrdinalIgnoreCase);

    private static bool IsToken(string text)
    {
        foreach (var c in text) if (!char.IsAsciiLetterOrDigit(c) && !"!#$&+-.^_`|~".Contains(c, StringComparison.Ordinal)) return false;
        return true;
    }
}

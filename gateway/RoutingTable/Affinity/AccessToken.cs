using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Matrix.Gateway.Routing.Affinity;

/// <summary>Who a token is for, as far as its text tells. Nothing is verified here: a forged token reaches another instance and is refused there.</summary>
internal static class AccessToken
{
    private const int MaxTokenLength = 2048;

    /// <summary>The token of a request: Authorization header first, then the query.</summary>
    public static ReadOnlySpan<char> Of(string? authorization, ReadOnlySpan<char> query)
    {
        const string scheme = "Bearer ";
        if (authorization is not null && authorization.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)) return authorization.AsSpan(scheme.Length).Trim();
        return RawQuery.Find(query, "access_token");
    }

    /// <summary>
    /// Writes the user id when the token carries it, else <c>token:</c> and a hash of the token, except that an application service's
    /// <c>user_id</c> stands for the user it acts for. 0 when there is no token.
    /// </summary>
    public static int WriteKey(ReadOnlySpan<char> token, ReadOnlySpan<char> query, Span<byte> destination)
    {
        if (token.IsEmpty || token.Length > MaxTokenLength) return 0;
        var n = WriteUser(token, destination);
        if (n > 0) return n;
        var actsFor = RawQuery.Find(query, "user_id");
        if (!actsFor.IsEmpty && PercentDecoding.Decode(actsFor, destination) is > 0 and var length && LooksLikeUser(destination[..length])) return length;
        return WriteHash(token, destination);
    }

    /// <summary><c>syt_USER_RANDOM_CHECK</c>; USER is URL-safe base64 and may hold underscores, so it ends at the last but one.</summary>
    private static int WriteUser(ReadOnlySpan<char> token, Span<byte> destination)
    {
        if (!token.StartsWith("syt_", StringComparison.Ordinal)) return 0;
        var rest = token[4..];
        var check = rest.LastIndexOf('_');
        if (check < 0) return 0;
        var random = rest[..check].LastIndexOf('_');
        if (random <= 0) return 0;
        var user = rest[..random];
        // Base64Url throws on text that is not base64.
        if (!Base64Url.IsValid(user, out var length) || length == 0 || length > destination.Length) return 0;
        return Base64Url.TryDecodeFromChars(user, destination, out var n) && LooksLikeUser(destination[..n]) ? n : 0;
    }

    private static bool LooksLikeUser(ReadOnlySpan<byte> id) => id.Length > 2 && id[0] == '@' && id.IndexOf((byte)':') > 0 && System.Text.Unicode.Utf8.IsValid(id);

    private static int WriteHash(ReadOnlySpan<char> token, Span<byte> destination)
    {
        Span<byte> bytes = stackalloc byte[MaxTokenLength * 3];
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(token, bytes)], hash);
        "token:"u8.CopyTo(destination);
        return Convert.TryToHexStringLower(hash[..8], destination["token:"u8.Length..], out var n) ? "token:"u8.Length + n : 0;
    }
}

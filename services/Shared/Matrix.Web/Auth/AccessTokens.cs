using System.Security.Cryptography;
using System.Text;
using Matrix.Primitives;

namespace Matrix.Web.Auth;

/// <summary>
/// The text of access tokens: <c>syt_USER_RANDOM_CHECK</c>, where USER is the user id in URL-safe base64 (may hold underscores: read from the right; the gateway takes it for affinity, unverified),
/// RANDOM 20 letters and CHECK a checksum that lets secret scanners tell a token from noise.
/// </summary>
public static class AccessTokens
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    public static string New(UserId user)
    {
        var head = $"syt_{UnpaddedBase64.EncodeUrl(Encoding.UTF8.GetBytes(user.Value))}_{RandomNumberGenerator.GetString(Letters, 20)}";
        return $"{head}_{Check(head)}";
    }

    private static string Check(string text)
    {
        var crc = 0xFFFFFFFFu;
        foreach (var b in Encoding.ASCII.GetBytes(text))
        {
            crc ^= b;
            for (var i = 0; i < 8; i++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320u : crc >> 1;
        }
        crc = ~crc;
        Span<char> six = stackalloc char[6];
        for (var i = 5; i >= 0; i--) { six[i] = Base62[(int)(crc % 62)]; crc /= 62; }
        return new string(six);
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Matrix.Crypto;
using Matrix.Primitives;

namespace Matrix.Web.Auth;

/// <summary>
/// OpenID tokens of users: a user id, an expiry and this server's signature over both, so that any instance can verify one without a table.
/// Spec: client-server-api/#openid, server-server-api/#openid
/// </summary>
public sealed class OpenIdTokens(ServerIdentity server, TimeProvider clock)
{
    public const int LifetimeSeconds = 3600;

    // Unlike anything else that the key signs: events and requests are JSON objects.
    private const string Domain = "openid-token 1";

    public string Issue(UserId user)
    {
        var expires = (clock.GetUtcNow().ToUnixTimeSeconds() + LifetimeSeconds).ToString(CultureInfo.InvariantCulture);
        // A nonce keeps two tokens of one second apart.
        var claims = $"{user.Value} {expires} {RandomNumberGenerator.GetHexString(16, lowercase: true)}";
        var signature = server.Ed25519.Sign(server.Key.Seed, Message(claims));
        return $"{UnpaddedBase64.EncodeUrl(Encoding.UTF8.GetBytes(claims))}.{UnpaddedBase64.EncodeUrl(signature)}";
    }

    /// <summary>The user whom a token of this server proves; false for anything else and for expired ones.</summary>
    public bool TryVerify(string token, [NotNullWhen(true)] out UserId? user)
    {
        user = null;
        var parts = token.Split('.');
        if (parts.Length != 2 || !UnpaddedBase64.TryDecodeUrl(parts[0], out var claims) || !UnpaddedBase64.TryDecodeUrl(parts[1], out var signature)) return false;
        var text = Encoding.UTF8.GetString(claims);
        if (signature.Length != 64 || !server.Ed25519.Verify(server.Key.PublicKey, Message(text), signature)) return false;
        var fields = text.Split(' ');
        if (fields.Length != 3 || !long.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var expires)) return false;
        if (expires < clock.GetUtcNow().ToUnixTimeSeconds() || !UserId.TryParse(fields[0], null, out var id)) return false;
        user = id;
        return true;
    }

    private static byte[] Message(string claims) => Encoding.UTF8.GetBytes($"{Domain}\n{claims}");
}

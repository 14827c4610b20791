using System.Security.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Encodings;
using Org.BouncyCastle.Crypto.Engines;
using Org.BouncyCastle.Security;

namespace Matrix.Crypto;

/// <summary>
/// RSA-OAEP with whichever pair of hashes (RFC 8017 7.1.2). The platform has only one hash for both jobs; XML encryption's usual pair has two.
/// </summary>
public static class RsaOaep
{
    /// <summary>Null: not encrypted with this key and these hashes, or spoilt.</summary>
    /// <param name="digest">SHA-1, SHA-256, SHA-384 or SHA-512, as <paramref name="mask"/>.</param>
    /// <param name="mask">Hash of the mask (MGF1).</param>
    public static byte[]? Decrypt(RSA key, byte[] wrapped, HashAlgorithmName digest, HashAlgorithmName mask)
    {
        try
        {
            if (digest == mask) return key.Decrypt(wrapped, RSAEncryptionPadding.CreateOaep(digest));
            var oaep = new OaepEncoding(new RsaBlindedEngine(), Digest(digest), Digest(mask), []);
            oaep.Init(false, DotNetUtilities.GetRsaKeyPair(key.ExportParameters(true)).Private);
            return wrapped.Length == key.KeySize / 8 ? oaep.ProcessBlock(wrapped, 0, wrapped.Length) : null;
        }
        catch (Exception e) when (e is CryptographicException or CryptoException)
        {
            return null;
        }
    }

    private static IDigest Digest(HashAlgorithmName name) => name.Name switch
    {
        "SHA1" => new Sha1Digest(),
        "SHA256" => new Sha256Digest(),
        "SHA384" => new Sha384Digest(),
        "SHA512" => new Sha512Digest(),
        _ => throw new ArgumentException($"{name} is not a hash of OAEP here.", nameof(name)),
    };
}

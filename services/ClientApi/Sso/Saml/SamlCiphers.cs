using System.Security.Cryptography;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>The ways to encrypt that are accepted. Specs: xmlenc-core1 5.2, 5.5</summary>
internal static class SamlCiphers
{
    public const string Encryption = "http://www.w3.org/2001/04/xmlenc#";
    public const string Encryption11 = "http://www.w3.org/2009/xmlenc11#";
    public const string OaepMgf1Sha1 = Encryption + "rsa-oaep-mgf1p";
    public const string Oaep = Encryption11 + "rsa-oaep";

    /// <summary>What our metadata offer: what cannot be changed unnoticed.</summary>
    public static readonly string[] Offered = [Encryption11 + "aes256-gcm", Encryption11 + "aes128-gcm", OaepMgf1Sha1, Oaep];

    private const int GcmNonce = 12;
    private const int GcmTag = 16;
    private const int Block = 16;

    /// <summary>How content is encrypted. Null: not accepted.</summary>
    /// <returns>Length of the key in bytes, and whether a change is noticed.</returns>
    public static (int KeyBytes, bool IsAuthenticated)? Content(string? algorithm) => algorithm switch
    {
        Encryption11 + "aes128-gcm" => (16, true),
        Encryption11 + "aes192-gcm" => (24, true),
        Encryption11 + "aes256-gcm" => (32, true),
        Encryption + "aes128-cbc" => (16, false),
        Encryption + "aes192-cbc" => (24, false),
        Encryption + "aes256-cbc" => (32, false),
        _ => null,
    };

    /// <summary>Null: not accepted.</summary>
    public static HashAlgorithmName? Digest(string? algorithm) => algorithm switch
    {
        null or "http://www.w3.org/2000/09/xmldsig#sha1" => HashAlgorithmName.SHA1,
        Encryption + "sha256" => HashAlgorithmName.SHA256,
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => HashAlgorithmName.SHA384,
        Encryption + "sha512" => HashAlgorithmName.SHA512,
        _ => null,
    };

    /// <summary>Null: not accepted.</summary>
    public static HashAlgorithmName? Mask(string? algorithm) => algorithm switch
    {
        null or Encryption11 + "mgf1sha1" => HashAlgorithmName.SHA1,
        Encryption11 + "mgf1sha256" => HashAlgorithmName.SHA256,
        Encryption11 + "mgf1sha384" => HashAlgorithmName.SHA384,
        Encryption11 + "mgf1sha512" => HashAlgorithmName.SHA512,
        _ => null,
    };

    /// <summary>Null: spoilt, or another key.</summary>
    public static byte[]? DecryptGcm(byte[] key, ReadOnlySpan<byte> data)
    {
        if (data.Length < GcmNonce + GcmTag) return null;
        var clear = new byte[data.Length - GcmNonce - GcmTag];
        using var aes = new AesGcm(key, GcmTag);
        try
        {
            aes.Decrypt(data[..GcmNonce], data[GcmNonce..^GcmTag], data[^GcmTag..], clear);
            return clear;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    /// <summary>Null: spoilt, or another key. Of the padding only the last byte has a meaning.</summary>
    public static byte[]? DecryptCbc(byte[] key, ReadOnlySpan<byte> data)
    {
        if (data.Length < 2 * Block || data.Length % Block != 0) return null;
        using var aes = Aes.Create();
        aes.Key = key;
        var clear = aes.DecryptCbc(data[Block..], data[..Block], PaddingMode.None);
        return clear[^1] is > 0 and <= Block ? clear[..^clear[^1]] : null;
    }
}

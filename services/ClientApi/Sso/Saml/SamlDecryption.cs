using System.Security.Cryptography;
using System.Text;
using System.Xml;
using Matrix.Crypto;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>
/// Decrypts what an identity provider has encrypted for us (saml-core-2.0-os 2.2.4, 2.3.4; xmlenc-core1). Everybody can encrypt for us, so this proves
/// nothing. Whatever goes wrong with keys or bytes is one fault with one message: who may try often learns nothing from the answers.
/// </summary>
internal sealed class SamlDecryption(IReadOnlyList<SamlKey> keys)
{
    private const string ElementType = SamlCiphers.Encryption + "Element";
    /// <summary>Encrypted keys in one element: an identity provider may add one for itself.</summary>
    private const int MaxWrapped = 4;

    private sealed record WrappedKey(byte[] Bytes, HashAlgorithmName Digest, HashAlgorithmName Mask);

    /// <summary>Puts the element that is encrypted in the place of the one that holds it.</summary>
    /// <param name="name">Of the assertion namespace: what must come out.</param>
    /// <param name="isProved">
    /// The identity provider's signature covers the bytes. Without it the CBC modes are refused: by changing bytes and watching what we do with them, anybody
    /// could read what he has recorded (Jager and Somorovsky, "How to Break XML Encryption", 2011).
    /// </param>
    public XmlElement Replace(XmlElement holder, string name, bool isProved)
    {
        if (keys.Count == 0) throw new ProviderException($"{holder.LocalName}: there are no encryption_keypairs to decrypt it with");
        var data = holder.Child("EncryptedData", SamlCiphers.Encryption) ?? throw new ProviderException($"{holder.LocalName} has no EncryptedData");
        if (data.Value("Type") is { } type && type != ElementType) throw new ProviderException("what is encrypted must be an element");
        var algorithm = data.Child("EncryptionMethod", SamlCiphers.Encryption)?.Value("Algorithm");
        var cipher = SamlCiphers.Content(algorithm) ?? throw new ProviderException($"encryption with {algorithm} is not accepted");
        if (!cipher.IsAuthenticated && !isProved) throw new ProviderException("encryption with a CBC mode is accepted in signed responses only (or let the provider encrypt with a GCM mode)");
        var wrapped = WrappedKeys(holder, data).ToList();
        if (wrapped.Count is 0 or > MaxWrapped) throw new ProviderException($"there must be one to {MaxWrapped} encrypted keys");
        var found = Decrypt(CipherValue(data), wrapped, cipher);
        if (found is null || Parse(holder, found) is not { } element || element.LocalName != name || element.NamespaceURI != SamlXml.Assertion)
            throw new ProviderException($"{holder.LocalName} cannot be decrypted");
        holder.ParentNode!.ReplaceChild(element, holder);
        return element;
    }

    private byte[]? Decrypt(byte[] data, List<WrappedKey> wrapped, (int KeyBytes, bool IsAuthenticated) cipher)
    {
        foreach (var own in keys)
        {
            using var rsa = own.Open();
            foreach (var candidate in wrapped)
            {
                if (RsaOaep.Decrypt(rsa, candidate.Bytes, candidate.Digest, candidate.Mask) is not { } key || key.Length != cipher.KeyBytes) continue;
                if ((cipher.IsAuthenticated ? SamlCiphers.DecryptGcm(key, data) : SamlCiphers.DecryptCbc(key, data)) is { } clear) return clear;
            }
        }
        return null;
    }

    /// <summary>In the key info of the data, or beside it, one pointing to the other.</summary>
    private static IEnumerable<WrappedKey> WrappedKeys(XmlElement holder, XmlElement data)
    {
        var info = data.Child("KeyInfo", SamlXml.Signature);
        var pointers = info?.Children("RetrievalMethod", SamlXml.Signature).Select(r => r.GetAttribute("URI")).ToList() ?? [];
        var inside = info?.Children("EncryptedKey", SamlCiphers.Encryption) ?? [];
        var beside = holder.Children("EncryptedKey", SamlCiphers.Encryption).Where(k =>
            (pointers.Count == 0 || pointers.Contains("#" + k.GetAttribute("Id")))
            && (k.Child("ReferenceList", SamlCiphers.Encryption) is not { } list
                || list.Children("DataReference", SamlCiphers.Encryption).Any(r => r.GetAttribute("URI") == "#" + data.GetAttribute("Id"))));
        return inside.Concat(beside).Select(Read);
    }

    private static WrappedKey Read(XmlElement encryptedKey)
    {
        var method = encryptedKey.Child("EncryptionMethod", SamlCiphers.Encryption);
        var algorithm = method?.Value("Algorithm");
        // rsa-1_5 is missing with a purpose: every answer to a guess would help to read what others were sent (Bleichenbacher).
        if (algorithm is not (SamlCiphers.OaepMgf1Sha1 or SamlCiphers.Oaep)) throw new ProviderException($"keys encrypted with {algorithm} are not accepted");
        var (digest, mask) = (method!.Child("DigestMethod", SamlXml.Signature)?.GetAttribute("Algorithm"), method!.Child("MGF", SamlCiphers.Encryption11)?.GetAttribute("Algorithm"));
        if (SamlCiphers.Digest(digest) is not { } digestName) throw new ProviderException($"keys encrypted with the digest {digest} are not accepted");
        if (SamlCiphers.Mask(algorithm == SamlCiphers.Oaep ? mask : null) is not { } maskName) throw new ProviderException($"keys encrypted with the mask {mask} are not accepted");
        if (method!.Child("OAEPparams", SamlCiphers.Encryption)?.InnerText.Trim() is { Length: > 0 }) throw new ProviderException("keys encrypted with OAEPparams are not accepted");
        return new(CipherValue(encryptedKey), digestName, maskName);
    }

    /// <summary>Bytes that stand here; those that are said to be elsewhere are not fetched.</summary>
    private static byte[] CipherValue(XmlElement element)
    {
        var text = element.Child("CipherData", SamlCiphers.Encryption)?.Child("CipherValue", SamlCiphers.Encryption)?.InnerText
            ?? throw new ProviderException($"{element.LocalName} has no CipherValue");
        try
        {
            return Convert.FromBase64String(text);
        }
        catch (FormatException e)
        {
            throw new ProviderException($"the CipherValue of {element.LocalName} is not base64", e);
        }
    }

    /// <summary>Null: no XML.</summary>
    private static XmlElement? Parse(XmlElement holder, byte[] clear)
    {
        try
        {
            return SamlXml.LoadWithin(holder, new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(clear));
        }
        catch (Exception e) when (e is ProviderException or DecoderFallbackException)
        {
            return null;
        }
    }
}

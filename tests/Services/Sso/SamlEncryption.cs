using System.Security.Cryptography;
using System.Text;
using System.Xml;
using Org.BouncyCastle.Crypto.Encodings;
using Org.BouncyCastle.Crypto.Engines;
using Org.BouncyCastle.Security;

namespace Matrix.ServiceTests.Sso;

/// <summary>Encrypts as identity providers do. Algorithms are the ends of their names.</summary>
internal sealed record SamlEncryption(RSA For)
{
    public const string Enc = "http://www.w3.org/2001/04/xmlenc#";
    public const string Enc11 = "http://www.w3.org/2009/xmlenc11#";
    private const string Saml = "urn:oasis:names:tc:SAML:2.0:assertion";

    public string Content { get; init; } = "aes256-gcm";
    public string Transport { get; init; } = "rsa-oaep-mgf1p";
    /// <summary>sha1, sha256, sha512; null: not said.</summary>
    public string? Digest { get; init; }
    /// <summary>mgf1sha1 and so on; null: not said.</summary>
    public string? Mask { get; init; }
    /// <summary>The encrypted key stands beside the data, not in its key info.</summary>
    public bool Beside { get; init; }
    public string Type { get; init; } = Enc + "Element";
    public Func<string, string> ChangeText { get; init; } = text => text;
    public Func<byte[], byte[]> ChangeData { get; init; } = data => data;
    public Func<byte[], byte[]> ChangeKey { get; init; } = key => key;

    /// <summary>Puts the element encrypted into a holder of this name, in its place.</summary>
    public XmlElement Replace(XmlElement element, string holder = "EncryptedAssertion")
    {
        var document = element.OwnerDocument;
        var made = document.CreateElement("saml", holder, Saml);
        made.InnerXml = Write(element.OuterXml);
        element.ParentNode!.ReplaceChild(made, element);
        return made;
    }

    private string Write(string clear)
    {
        var key = RandomNumberGenerator.GetBytes(int.Parse(Content[3..6], System.Globalization.CultureInfo.InvariantCulture) / 8);
        var data = ChangeData(Encrypt(key, Encoding.UTF8.GetBytes(ChangeText(clear))));
        var wrapped = ChangeKey(Wrap(key));
        var id = "_" + Guid.NewGuid().ToString("N");
        var encryptedKey = $"""
            <xenc:EncryptedKey xmlns:xenc="{Enc}" Id="{id}k"><xenc:EncryptionMethod Algorithm="{(Transport == "rsa-oaep" ? Enc11 : Enc)}{Transport}">{DigestElement()}{MaskElement()}</xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>
            {Convert.ToBase64String(wrapped, Base64FormattingOptions.InsertLineBreaks)}</xenc:CipherValue></xenc:CipherData>{(Beside ? $"<xenc:ReferenceList><xenc:DataReference URI=\"#{id}\"/></xenc:ReferenceList>" : "")}</xenc:EncryptedKey>
            """;
        var info = Beside ? $"<ds:RetrievalMethod Type=\"{Enc}EncryptedKey\" URI=\"#{id}k\"/>" : encryptedKey;
        return $"""
            <xenc:EncryptedData xmlns:xenc="{Enc}" Id="{id}" Type="{Type}"><xenc:EncryptionMethod Algorithm="{(Content.EndsWith("gcm", StringComparison.Ordinal) ? Enc11 : Enc)}{Content}"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{info}</ds:KeyInfo><xenc:CipherData><xenc:CipherValue>{Convert.ToBase64String(data)}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>{(Beside ? encryptedKey : "")}
            """;
    }

    private string DigestElement() => Digest switch
    {
        null => "",
        "sha1" => "<ds:DigestMethod xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Algorithm=\"http://www.w3.org/2000/09/xmldsig#sha1\"/>",
        _ => $"<ds:DigestMethod xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" Algorithm=\"{Enc}{Digest}\"/>",
    };

    private string MaskElement() => Mask is null ? "" : $"<xenc11:MGF xmlns:xenc11=\"{Enc11}\" Algorithm=\"{Enc11}{Mask}\"/>";

    private byte[] Encrypt(byte[] key, byte[] clear)
    {
        if (Content.EndsWith("cbc", StringComparison.Ordinal))
        {
            using var aes = Aes.Create();
            aes.Key = key;
            return [.. aes.IV, .. aes.EncryptCbc(clear, aes.IV, PaddingMode.ISO10126)];
        }
        using var gcm = new AesGcm(key, 16);
        var (nonce, bytes, tag) = (RandomNumberGenerator.GetBytes(12), new byte[clear.Length], new byte[16]);
        gcm.Encrypt(nonce, clear, bytes, tag);
        return [.. nonce, .. bytes, .. tag];
    }

    private byte[] Wrap(byte[] key)
    {
        if (Transport == "rsa-1_5") return For.Encrypt(key, RSAEncryptionPadding.Pkcs1);
        var oaep = new OaepEncoding(new RsaEngine(), DigestUtilities.GetDigest(Digest ?? "sha1"), DigestUtilities.GetDigest(Mask?[4..] ?? "sha1"), []);
        oaep.Init(true, DotNetUtilities.GetRsaPublicKey(For.ExportParameters(false)));
        return oaep.ProcessBlock(key, 0, key.Length);
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Xml;
using Matrix.ClientApi.Sso.Saml;
using Matrix.Crypto;
using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.Sso;

/// <summary>What other programs have encrypted: xmlsec1 1.2.37 and OpenSSL 3.0.22, for a key made for this.</summary>
public sealed class SamlVectorTests
{
    private const string Key =
        "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDqxcpQtqHivRVJvA+nlA5x4/sNz//hzeaJqVUvZTAe4vWhog6G8SIAlNPHdzR7z0gnWvCJue8bACBmoNwDuQo1zbBN8IscIZCptZoMxkmdOXsYBWIT3ZUcj2PHa+I5tQUOMpn/wovA5SkT1zPN9zblY4iOQjml9VnIQGpRkURh+zAnxAyg1fDeSlCMDziVnrEoMbkM4lv3hGQ6DlDE03ViuvLIRrEQGC2iPH57hZbHLCUKrZgRfKQtNmo/Jtc3SueuYHLlLD9iKP+xWBVtbJlX0Fqx6+mpu8gQwo5mEErkWWPWykYjqDAlBlgSfhDTnATMl/wTLRxFmyWa7r19uRRhAgMBAAECggEAM6/lCV0UCgO/9pJRTf8iKP/cy18yQiffLAqcRwl7jSlBk9rGYP4gkskxUPZVFzb89zElyOSnGCYwe/fJSIaKEWtd9+LP9ZsMKtjg+BQFq/g2OgUhYSdFB1soSATf8v2ABe6tCepuc0Lghs43yQ42x0zhCRTadUetgxFvdtLJH9rN7jRPl5jhjSf8umtTiLjpIWmwvT36HebVVwq8oDXwlb9tfXGYi6xaw7N65MsiCqNoocCdgNdHivwz+LcKdXum4Ohl0YuoBTxq9ushHPt7pl1DP9KqreWBWAx2UIzM1xn+9puM24jR2b2NlikhLwAnU++wj/KJfLJla9AgPuEk2QKBgQD9nBG6dYDxTLEb0RFm3xj4P0hyKoXg2dqdxlh+AKU+hnRoOy4+zcM801PxFqNMMyr2q5ZduoMf94PIBRg83NUynCg5ZCYh0Jv7vvgINs0RVvhPuum5L1b76qY5DgiogS+Pkhm+Vt1TWDYm6Z7oW4GwQN8fuqxB/I3LVoH0yyqdfQKBgQDs/ET8RRF3lFbJ0tz/ABERISQSyLpnehXpla1drvWJ+0NMiLGcK98RgckcUvjl/XxRvRP+gyPX99nzw7+uNPw+VhJQO70+xp7H+Hodcigu0pBQ7DRrNsy/WLmdmcOsSh0ZAGXX5dC4OPTcPU6zOSwqKC96tJYDEA5RRuPsxu+XtQKBgEzRWEFdVDhC3aaqVhYN35daO8xw+upXsrN1n9pSwbrFqT7lJiXZ15h1/ogZLk9ndE0RPlOXqh4lr+IHQQc2cNGKoVh48F/vuz+u4ZxDVSw6Zq5n1GHGaBeYRM8lZBP+RXS8cVXJI/MZ1hVFUF/bT9YeYDdRKNo38I813dlTLM5VAoGAGw4p6gsQlXBQADacmFgvmp8H+UUFUu7zNXmrEzj4O0p+QmyQql2v19XTWfJ3C/rGiKZnc/UQ0IUxUs0UQxU1fwBgktxfHJ2cXwQVHOt9fur3IuX0jhDxix7cAgwd9Lt5WvNarS1FiOKnwcUWCQwL6Lwxv3aCcdMRb2ICf3OuwskCgYBBt8A7co/AGt+zExxg9sX2pKc+I/Lxt4aSCbsgYrV4lT1MLWC1rw4S+yTY3b9xToWs5kKyYn+cARWV/Uvw1/hss30PpfK4nQcLIHuxF8hIKM8/mHeB2imbf6sR5w4VTVFKY04PiXAi3PfqOwv4hXxEQIzUHwRynLZwvzH2tWgvPA==";

    private static RSA Open()
    {
        var key = RSA.Create();
        key.ImportPkcs8PrivateKey(Convert.FromBase64String(Key), out _);
        return key;
    }

    [Theory]
    [InlineData("SHA1", "SHA1", "cifRAFzIIG51zpcVeQIGN070V+5esykJuqk8s1tdFR1IUTPQNJa8BQukQE39/uDM+/VDN67BdUROBPtELnJlVMc1qiYjiDhaEMxDlQ4C9MmPWnR1zWW6AjVFOpOATDpH2Upd63J3NzAhggIV8WChB4wIYce0KCLPNdWjoJU0GbPZiiOOhwIB+Pytx1gjIt1rLKQKnHBECoRnGcKTNCwD8E/AKUGibp36WALeBWRsGO1HPYAKrV6140nPG4SEBfQ7VbxT4lhDBrwA+oAFWm0dnbSGXXX3Q+UJI1XfBnt2CdmrHO8kYz1DfwQu+VOE0feg+6M9wd3VpFmjAbgJkEPihA==")]
    [InlineData("SHA256", "SHA1", "GDTdwuD5a5msoeMgekiBTmEh4yrjU/Cgu1OzzdhoOVB4NvFpsCfEzarRih2P7tMXZsyLCbc0lQp9L0NltJbsJ7E7uOVw3mRxp7rKXWk2Lb7fA+yyJSw3XbctdGcxEdByZeuUFC8lqsJnX6/DXe99UVaG6bfAgwL4bJu4vvURNXdnbAggyvMXeYGUX82f6FSIc7OeUo6j35aCqWuWfbmIUJeKQW94nloHoe0So9RTQXILzeAXNiThAOApSYRn64DN48xVjBg4IXrtFzBzTOz3kSy9u+Z5YmLLdk0GeLcktjl8eBs52yMS95k0ErhFvBL9UC7WCvhwIBeH3VDnIX9Vdg==")]
    [InlineData("SHA1", "SHA256", "FIgc3lQGNMwuo169lB2qiGeOCtmBQvkqzTn4yU2QPb49jyF5aQWkVHtNO8vlAfXY5Jd/GahnBiXsNPWCFkRTUv5DoY1+RKEsZgZqIoOF7W+a/5WBoyMoP4X077eVCG1xERocITt3OQKsncgZSM6/8mOSDZEbJlOKPmxGh9xLs79WNLgBkU+ZGtHHEUmbv8hVTdf2inJuL50VLPq+G98EdrIQLFHt813td8QCiJdWoZu3ifrlTJgxlPCWiW5kN/wAVFiZcEAh5WOC8DGw+CyQLaQowHwsSm8jXbUkAnPeHU822aARZcvMbWU2OulR1DblvpmT6Oraw6wNkUOwPcdNSg==")]
    [InlineData("SHA512", "SHA256", "LXcJPNWFb7MGbd/Aypx15TJn2HOAyn4tLFCwyJMmUcWfwmsI9kDPMdluYMuXMqY0WQ3yIiYAKk0GaVuiLMZvyuznjSInQNhFp/fBZNrIvHb6TdLIJwVPtfjRq2xAEPR2810vWRK7/bnmAwgKdY/rYZVf9Ag/iIqWSMSTvUIaz53A6YSPgcnvyw4sACNkDB/AVsbK2a59ig8DGJNMvICbUD15SDHTBRkb26hIxz3wUv5FFrnBlbWgwvFHkhksCkqHB5WDLTVjT1F7LAUaA0lKPWajO4emFA5S8nuVXAAZ+pqOPVkoN3WcQ24oSiHYjsyC+wC6yopYpu4W7e0pRb37jQ==")]
    [InlineData("SHA384", "SHA384", "gtqKS+qJ6yO1SBNtcT3JgZ5j6KmazxSCt/phGcf7tLRuUX4T0NMLOy+NRSos48geaNprYwssYDuvGE1YfUZISp1ShorSF+saWp7cMsKFHcflRrGU0Ri0P9nMCTRj4VCTjTnOM7/DOYroYDEvsCwKxJtiSGzYqOaPRvBoue1ZAhU3AN3sRjvzm9dBvqpnht9qxrLt07k2teBbTKt9S1VYXBFE/H37p9k8NOkjfARXjPZwvMA4BIFTFZXNYEgMFFvadcRsJXRD3bZMcyZSZOt8+H/Ruj3gQ3hQSHugS+2a2zk11I0Xmp7jsx+xoevTIbGOVxtfFWFzPN+XqsYC2c6Nfg==")]
    public void Keys_encrypted_by_openssl_are_read(string digest, string mask, string wrapped)
    {
        using var key = Open();
        var bytes = Convert.FromBase64String(wrapped);
        Assert.Equal("a key of the ses", Encoding.ASCII.GetString(RsaOaep.Decrypt(key, bytes, new(digest), new(mask))!));
        Assert.Null(RsaOaep.Decrypt(key, bytes, new(digest), new(mask == "SHA384" ? "SHA1" : "SHA384")));
    }

    /// <summary>xmlsec1 encrypts what stands there: the prefix saml is declared outside of it.</summary>
    [Theory]
    [InlineData("""
        <saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/><xenc:CipherData><xenc:CipherValue>GmlZRl/qlp2u2qsPRNueNPkDOXebX6CUoRVd3ltM4bWqWf9XL+1cj4yG9oQd6VGS
        ILa9ni39N8A2YWSYhLejYy0QW8FXTWGZAGDdxb4Yfsc5BKPUZGhAmv8QdMAkAWpj
        O4r8HMPCjofNlQg8OVpNqn/BsHpC9EvGo1DbxUUMcqEp86lfFuHCgg6G6Tf11QU6
        ezV23sS6NQrryHXgVK8kOvjqUZHYhsuakRp6jDwFBkW1SRTRsSwB1vaRGzVqX/5D
        k6qlVSqaHR5LBT8cvZiiK3wOhQu+XxnuTcW2kyyQno7K4/cCapBMbQulOzZmFeYz
        NUOl6S/8C8dQYeYQ4efrOQ==</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>ynzyKwC9V9UOdgpR+nsyOUW0y5hleqcJZyCeNNJhcASpoNW/Lo7QznKxpAcKc0Kj
        yE5fZgVR9OzB2QtWQItwsn7+voVZl9n1W39T4DCEG1vNynwttX57rlKFccKndTKT
        CBmFiAQw/5nWuEB/60ErqGAQXazUOld12jEptt3ZI4Ts</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>
        """)]
    [InlineData("""
        <saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/><xenc:CipherData><xenc:CipherValue>oSXu0Lu3AQVHdUVga+D2GAhZ2/i1JIUi3NtyWCeaIjxnDihiIpMfFpeb7lJPsQYZ
        De7AS7fKv6Q/OXKp1QGPodgewhFlXmmJ79X4Jud8Yetj4I0hyS7Bs1TWr3CgSFAc
        iSeiT1I/gHTiwRQ1tfx0Vo919RC605UPh7eMFAx4Ch5wKhlXUxAxr2QJzCfcojoe
        5smVqaNPFruMJfuZ2p7jtrH/VhmgC6C7cl75sGoVzr5NN3Ki4qydCfhglE1+lqCH
        pa5n+Z9YLChmPj9BFqGsmmbKW8JSOefu7WKa57fU9xoINvs8GJytqoUZMaFKpulm
        +C9JGD8AAtqAqeTsKVUwbw==</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>ICPyOMz4OIPXfGUkWGM3Lsk9/Q+FX5bFLExhJb79AXClJXpDSLid9vwOil1Bs2t2
        gJUUmJ/Xb/lbjR033J+j0FqzBF+5mUXOu3NHujfw801rHpZb/NmqG45jQ3lv7xyp
        ATE3kzYKoIzOQj7hWmzFaFjUKHxIE/SWplTUu0KYpSk=</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>
        """)]
    public void Assertions_encrypted_by_xmlsec_are_read(string xml)
    {
        using var key = Open();
        var certificate = new CertificateRequest("CN=vector", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        var document = new XmlDocument { PreserveWhitespace = true };
        document.LoadXml($"<x>{xml}</x>");
        new SamlDecryption([new SamlKey(key, certificate)]).Replace((XmlElement)document.DocumentElement!.FirstChild!, "Assertion", isProved: true);
        Assert.Equal("https://idp.example", document.DocumentElement!["Assertion", SamlXml.Assertion]!["Issuer", SamlXml.Assertion]!.InnerText);
    }
}

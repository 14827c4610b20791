using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.Sso;

/// <summary>With keys for SAML: the identity provider may encrypt, and our requests are signed.</summary>
public class SamlKeysFixture : SsoFixture
{
    internal SamlKey Current { get; } = NewKey();
    /// <summary>Some identity providers have not heard of the new key yet.</summary>
    internal SamlKey Old { get; } = NewKey();
    internal SamlKey Signing { get; } = NewKey();

    internal static SamlKey NewKey()
    {
        using var key = RSA.Create(2048);
        return new(key, new CertificateRequest("CN=matrix", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1)));
    }

    protected override HomeserverConfig Adjust(HomeserverConfig config) => config with
    {
        Sso = config.Sso with { Saml = config.Sso.Saml! with { EncryptionKeys = [Current, Old], SigningKey = Signing, SignRequests = true } },
    };
}

/// <summary>An identity provider that wants signed requests, by a form. Only the first instance has a key to sign with.</summary>
public sealed class SamlPostFixture : SamlKeysFixture
{
    private bool isFirstMade;

    public SamlPostFixture() => (Saml.Binding, Saml.WantsSignedRequests) = ("HTTP-POST", true);

    protected override HomeserverConfig Adjust(HomeserverConfig config)
    {
        var hasKey = !isFirstMade;
        isFirstMade = true;
        return config with { Sso = config.Sso with { Saml = config.Sso.Saml! with { SigningKey = hasKey ? Signing : null } } };
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Matrix.ServiceDefaults;

/// <summary>An RSA key of our own, and the certificate by which identity providers know it.</summary>
public sealed class SamlKey(RSA key, X509Certificate2 certificate)
{
    // Kept as bytes: an RSA object serves one request at a time.
    private readonly byte[] bytes = key.ExportRSAPrivateKey();

    public X509Certificate2 Certificate { get; } = certificate;

    public RSA Open()
    {
        var opened = RSA.Create();
        opened.ImportRSAPrivateKey(bytes, out _);
        return opened;
    }
}

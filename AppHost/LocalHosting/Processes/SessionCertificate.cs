using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Aspire.Hosting.Processes;

/// <summary>
/// A certificate for one session on loopback. Left to itself dcp makes RSA keys of 4096 bits, which takes a small machine longer than everything
/// else at start.
/// </summary>
internal static class SessionCertificate
{
    /// <returns>Paths of certificate and key.</returns>
    public static (string Certificate, string Key) Write(string folder, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(365));
        var paths = (Path.Combine(folder, "session.crt"), Path.Combine(folder, "session.key"));
        File.WriteAllText(paths.Item1, certificate.ExportCertificatePem());
        // The folder is closed to others.
        File.WriteAllText(paths.Item2, key.ExportPkcs8PrivateKeyPem());
        return paths;
    }
}

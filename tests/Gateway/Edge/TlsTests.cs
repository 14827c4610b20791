using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Matrix.Gateway.Tests.Proxy;
using Matrix.ServiceDefaults.Edge;
using Xunit;

namespace Matrix.Gateway.Tests.Edge;

public sealed class TlsTests : IDisposable
{
    private readonly string folder = System.IO.Directory.CreateTempSubdirectory("armada-tls-").FullName;

    private string ChainPath => Path.Combine(folder, "chain.pem");
    private string KeyPath => Path.Combine(folder, "key.pem");

    public void Dispose() => System.IO.Directory.Delete(folder, recursive: true);

    /// <summary>Writes a leaf signed by an intermediate authority, chain as certificate authorities deliver it. </summary>
    private void WriteCertificate(string name, DateTime written)
    {
        var (from, to) = (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(10));
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var root = Authority("Root of " + name, rootKey).CreateSelfSigned(from, to);
        using var issuerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var issuerAlone = Authority("Intermediate of " + name, issuerKey).Create(root, from, to, RandomNumberGenerator.GetBytes(8));
        using var issuer = issuerAlone.CopyWithPrivateKey(issuerKey);
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        using var leaf = request.Create(issuer, from, to, RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(ChainPath, leaf.ExportCertificatePem() + "\n" + issuer.ExportCertificatePem() + "\n");
        File.WriteAllText(KeyPath, key.ExportPkcs8PrivateKeyPem());
        File.SetLastWriteTimeUtc(ChainPath, written);
        File.SetLastWriteTimeUtc(KeyPath, written);
    }

    private static CertificateRequest Authority(string name, ECDsa key)
    {
        var request = new CertificateRequest("CN=" + name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        return request;
    }

    private static async Task<(string Subject, string[] Sent)> HandshakeAsync(Uri address)
    {
        var (subject, sent) = ("", Array.Empty<string>());
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port);
        await using var tls = new SslStream(client.GetStream(), false, (_, certificate, chain, _) =>
        {
            subject = certificate!.Subject;
            sent = [.. chain!.ChainPolicy.ExtraStore.Select(c => c.Subject)];
            return true;
        });
        await tls.AuthenticateAsClientAsync("example.org");
        return (subject, sent);
    }

    [Fact]
    public async Task A_certificate_serves_with_its_whole_chain()
    {
        WriteCertificate("first.example", new(2026, 1, 1));
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi");
        await using var gateway = await TestGateway.StartAsync($"""
            tls_certificate_path: {ChainPath}
            tls_private_key_path: {KeyPath}
            """, "tls: true", services: [clientApi]);

        Assert.Equal("https", gateway.Address.Scheme);
        var (subject, sent) = await HandshakeAsync(gateway.Address);
        Assert.Equal("CN=first.example", subject);
        Assert.Contains("CN=Intermediate of first.example", sent);

        foreach (var version in (Version[])[System.Net.HttpVersion.Version11, System.Net.HttpVersion.Version20])
        {
            using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } };
            using var client = new HttpClient(handler);
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(gateway.Address, "/_matrix/client/versions")) { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
            using var response = await client.SendAsync(request);
            Assert.Equal("clientapi-1", await response.Content.ReadAsStringAsync());
        }
        Assert.All(clientApi.Requests, r => Assert.Equal("https", (string?)r.Headers["X-Forwarded-Proto"]));
    }

    [Fact]
    public void A_renewed_certificate_is_taken_and_a_broken_one_is_not()
    {
        WriteCertificate("first.example", new(2026, 1, 1));
        var time = new ManualTime();
        var files = new CertificateFiles(ChainPath, KeyPath, time);
        string Subject() => files.Current().ServerCertificateContext!.TargetCertificate.Subject;
        Assert.Equal("CN=first.example", Subject());

        WriteCertificate("second.example", new(2026, 2, 1));
        Assert.Equal("CN=first.example", Subject());        // looked at only now and then
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("CN=second.example", Subject());

        File.WriteAllText(ChainPath, "not a certificate");
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("CN=second.example", Subject());

        WriteCertificate("third.example", new(2026, 3, 1));
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("CN=third.example", Subject());
    }

    [Fact]
    public void A_certificate_that_cannot_be_used_is_named_at_the_start()
    {
        File.WriteAllText(ChainPath, "not a certificate");
        File.WriteAllText(KeyPath, "not a key");
        var fault = Assert.Throws<InvalidDataException>(() => new CertificateFiles(ChainPath, KeyPath, TimeProvider.System));
        Assert.Contains(ChainPath, fault.Message);
        Assert.Contains(KeyPath, Assert.Throws<InvalidDataException>(() => new CertificateFiles(Path.Combine(folder, "none.pem"), KeyPath, TimeProvider.System)).Message);
    }
}

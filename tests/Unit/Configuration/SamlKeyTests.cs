using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Matrix.Unit.Configuration;

/// <summary>The keys of <c>saml2_config.sp_config</c>, under the names of pysaml2.</summary>
public sealed class SamlKeyTests : IDisposable
{
    private const string Base = """
        server_name: example.org
        signing_key_path: key
        public_baseurl: https://matrix.example.org/
        database: { args: { host: db, user: u, database: d } }
        saml2_config:
          sp_config:
            metadata: { remote: [{ url: 'https://idp.example.org' }] }
        """;
    private readonly ConfigFolder folder = new();

    public SamlKeyTests()
    {
        using var key = RSA.Create(2048);
        using var other = RSA.Create(2048);
        using var weak = RSA.Create(1024);
        using var curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Write("a.key", key.ExportPkcs8PrivateKeyPem());
        Write("a.crt", Certificate(key).ExportCertificatePem());
        Write("other.key", other.ExportRSAPrivateKeyPem());
        Write("other.crt", Certificate(other).ExportCertificatePem());
        Write("weak.key", weak.ExportPkcs8PrivateKeyPem());
        Write("weak.crt", Certificate(weak).ExportCertificatePem());
        Write("curve.key", curve.ExportPkcs8PrivateKeyPem());
        Write("locked.key", key.ExportEncryptedPkcs8PrivateKeyPem("s3cret", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 10)));
        Write("nonsense", "nonsense");
    }

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(folder.Path, name), text);

    private static X509Certificate2 Certificate(RSA key) =>
        new CertificateRequest("CN=x", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Keys_to_decrypt_and_to_sign_are_read()
    {
        var loaded = folder.Load(Base + "\n    encryption_keypairs: [{ key_file: a.key, cert_file: a.crt }, { key_file: other.key, cert_file: other.crt }]"
            + "\n    key_file: locked.key\n    key_file_passphrase: s3cret\n    cert_file: a.crt\n    service: { sp: { authn_requests_signed: true } }\n");
        Assert.Empty(loaded.Faults);
        var saml = loaded.Config!.Sso.Saml!;
        Assert.Equal(2, saml.EncryptionKeys.Count);
        Assert.True(saml.SignRequests);
        using var key = saml.SigningKey!.Open();
        using var first = saml.EncryptionKeys[0].Open();
        Assert.Equal(first.ExportPkcs8PrivateKey(), key.ExportPkcs8PrivateKey());
        Assert.Equal("CN=x", saml.SigningKey.Certificate.Subject);
        Assert.False(saml.SigningKey.Certificate.HasPrivateKey);
    }

    [Theory]
    [InlineData("encryption_keypairs: [{ cert_file: a.crt }]", "encryption_keypairs[0].key_file")]
    [InlineData("encryption_keypairs: [{ key_file: a.key }]", "encryption_keypairs[0].cert_file")]
    [InlineData("encryption_keypairs: [{ key_file: a.key, cert_file: a.crt }, { key_file: nothing.key, cert_file: a.crt }]", "encryption_keypairs[1].key_file")]
    [InlineData("encryption_keypairs: [{ key_file: a.key, cert_file: nothing.crt }]", "encryption_keypairs[0].cert_file")]
    [InlineData("encryption_keypairs: [{ key_file: a.key, cert_file: other.crt }]", "encryption_keypairs[0].cert_file")]
    [InlineData("encryption_keypairs: [{ key_file: nonsense, cert_file: a.crt }]", "encryption_keypairs[0].key_file")]
    [InlineData("encryption_keypairs: [{ key_file: a.key, cert_file: nonsense }]", "encryption_keypairs[0].cert_file")]
    [InlineData("encryption_keypairs: [{ key_file: curve.key, cert_file: a.crt }]", "encryption_keypairs[0].key_file")]
    [InlineData("encryption_keypairs: [{ key_file: weak.key, cert_file: weak.crt }]", "encryption_keypairs[0].key_file")]
    [InlineData("encryption_keypairs: a.key", "encryption_keypairs")]
    [InlineData("key_file: a.key", "cert_file")]
    [InlineData("key_file: locked.key\n    cert_file: a.crt", "key_file")]
    [InlineData("key_file: locked.key\n    cert_file: a.crt\n    key_file_passphrase: wrong", "key_file")]
    [InlineData("service: { sp: { authn_requests_signed: true } }", "key_file")]
    public void Mistakes_are_told_with_their_key(string yaml, string key) =>
        Assert.Contains(folder.Load($"{Base}\n    {yaml}\n").Faults, f => f.Key == "saml2_config.sp_config." + key);
}

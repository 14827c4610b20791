using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>SAML 2.0. Below <c>sp_config</c> the keys are those of pysaml2, which Synapse hands them to.</summary>
internal sealed partial class HomeserverConfigReader
{
    private const int MinRsaBits = 2048;

    private SamlConfig? ReadSaml()
    {
        var section = root.Section("saml2_config");
        if (!section.Exists || !section.Boolean("enabled", true)) return null;
        if (section.Has("config_path")) section.Fault("config_path", "is a program of Python, which this server does not run", "write its content under sp_config");
        var sp = section.Section("sp_config");
        var service = sp.Section("service").Section("sp");
        var signs = service.Boolean("authn_requests_signed", false);
        var signingKey = sp.Has("key_file") || sp.Has("cert_file") ? ReadSamlKey(sp, sp.Text("key_file_passphrase")) : null;
        if (signs && !sp.Has("key_file")) sp.Fault("key_file", "is missing, and with service.sp.authn_requests_signed requests are signed", "key_file: /path/to/saml.key");
        var metadata = sp.Section("metadata");
        var provider = section.Section("user_mapping_provider");
        if (provider.Text("module") is { } module && module is not ("synapse.handlers.saml.DefaultSamlMappingProvider" or "synapse.handlers.saml_handler.DefaultSamlMappingProvider"))
            provider.Fault("module", "is a module of Python, which this server does not run", "take the key out and describe the mapping under config");
        var mapping = provider.Section("config");
        var urls = (metadata.Sections("remote") ?? []).Select(r => Needed(r, "url", "url: https://idp.example.com/metadata.xml")).ToList();
        var files = (metadata.Texts("local") ?? []).Select(FullPath).ToList();
        foreach (var file in files.Where(f => !File.Exists(f))) metadata.Fault("local", $"names a file that does not exist: {file}", "correct the path");
        if (urls.Count + files.Count == 0) metadata.Fault("remote", "is missing, and so is local", "remote: [{ url: https://idp.example.com/metadata.xml }]");
        return new()
        {
            Label = ReadLabel(section, "SAML"),
            EntityId = sp.Text("entityid"),
            MetadataFiles = files,
            MetadataUrls = urls,
            IdpEntityId = section.Text("idp_entityid"),
            AllowUnsolicited = service.Boolean("allow_unsolicited", false),
            AcceptedTimeDifference = TimeSpan.FromSeconds(sp.WholeNumber("accepted_time_diff", 0, 0, 3600)),
            SessionLifetime = section.Duration("saml_session_lifetime", TimeSpan.FromMinutes(15), "15m"),
            MxidSourceAttribute = mapping.Text("mxid_source_attribute") ?? section.Text("mxid_source_attribute") ?? "uid",
            DotReplace = OneOf(mapping.Has("mxid_mapping") ? mapping : section, "mxid_mapping", "hexencode", ["hexencode", "dotreplace"]) == "dotreplace",
            GrandfatheredAttribute = section.Text("grandfathered_mxid_source_attribute") ?? "uid",
            Requirements = ReadRequirements(section),
            EncryptionKeys = [.. (sp.Sections("encryption_keypairs") ?? []).Select(k => ReadSamlKey(k, null)).OfType<SamlKey>()],
            SigningKey = signingKey,
            SignRequests = signs,
            WantResponseSigned = service.Boolean("want_response_signed", false),
            WantAssertionsSigned = service.Boolean("want_assertions_signed", false),
        };
    }

    /// <summary>The pair of <c>key_file</c> and <c>cert_file</c> in this section; null after a fault.</summary>
    private SamlKey? ReadSamlKey(ConfigSection section, string? passphrase)
    {
        var (keyFile, certificateFile) = (section.Text("key_file"), section.Text("cert_file"));
        if (keyFile is null) section.Fault("key_file", "is missing", "key_file: /path/to/saml.key");
        if (certificateFile is null) section.Fault("cert_file", "is missing: identity providers know the key by its certificate", "cert_file: /path/to/saml.crt");
        if (keyFile is null || certificateFile is null) return null;
        using var key = RSA.Create();
        try
        {
            var pem = File.ReadAllText(FullPath(keyFile));
            if (passphrase is null) key.ImportFromPem(pem);
            else key.ImportFromEncryptedPem(pem, passphrase);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or CryptographicException)
        {
            section.Fault("key_file", $"is not the PEM file of an RSA key that can be read: {e.Message}", "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out saml.key");
            return null;
        }
        if (key.KeySize < MinRsaBits) section.Fault("key_file", $"has a key of {key.KeySize} bits, which is too short", $"make one of {MinRsaBits} bits or more");
        try
        {
            var certificate = X509CertificateLoader.LoadCertificateFromFile(FullPath(certificateFile));
            using var certified = certificate.GetRSAPublicKey();
            if (certified?.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo()) is true) return new(key, certificate);
            section.Fault("cert_file", "is the certificate of another key than key_file", "openssl req -new -x509 -key saml.key -days 3650 -subj /CN=matrix -out saml.crt");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            section.Fault("cert_file", $"is not a certificate that can be read: {e.Message}", "openssl req -new -x509 -key saml.key -days 3650 -subj /CN=matrix -out saml.crt");
        }
        return null;
    }
}

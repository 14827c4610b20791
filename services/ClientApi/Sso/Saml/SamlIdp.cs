using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Xml;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>The identity provider as its metadata describe it.</summary>
/// <param name="IsPost">Requests come by a form, not by redirect.</param>
internal sealed record SamlIdp(string EntityId, string SignOnAddress, bool IsPost, bool WantsSignedRequests, IReadOnlyList<X509Certificate2> Certificates);

/// <summary>Reads the metadata of the identity provider from files and addresses, and keeps what it found for an hour.</summary>
internal sealed class SamlIdpMetadata(SamlConfig config, ProviderHttp http, TimeProvider clock)
{
    private const int MaxCharacters = 4 * 1024 * 1024;
    private static readonly TimeSpan Kept = TimeSpan.FromHours(1);
    private (SamlIdp Value, DateTimeOffset At)? known;

    public async Task<SamlIdp> GetAsync(CancellationToken ct)
    {
        if (known is { } k && clock.GetUtcNow() - k.At < Kept) return k.Value;
        var found = new List<SamlIdp>();
        foreach (var file in config.MetadataFiles) Collect(await File.ReadAllTextAsync(file, ct), found);
        foreach (var url in config.MetadataUrls)
        {
            var answer = await http.GetAsync(url, ct);
            if (answer.Status != 200) throw new ProviderException($"the metadata cannot be read: status {answer.Status}");
            Collect(answer.Body, found);
        }
        var fitting = config.IdpEntityId is { } wanted ? found.Where(i => i.EntityId == wanted).ToList() : found;
        if (fitting is not [var idp])
            throw new ProviderException($"the metadata describe {fitting.Count} identity providers that could be meant (idp_entityid)");
        known = (idp, clock.GetUtcNow());
        return idp;
    }

    private static void Collect(string xml, List<SamlIdp> found)
    {
        var root = SamlXml.Load(xml, MaxCharacters).DocumentElement!;
        var entities = root.LocalName == "EntitiesDescriptor" ? root.GetElementsByTagName("EntityDescriptor", SamlXml.Metadata).OfType<XmlElement>() : [root];
        foreach (var entity in entities)
        {
            if (entity.Children("IDPSSODescriptor", SamlXml.Metadata).FirstOrDefault() is not { } idp) continue;
            var redirect = SignOnAddress(idp, SamlXml.RedirectBinding);
            if ((redirect ?? SignOnAddress(idp, SamlXml.PostBinding)) is not { } address) continue;
            found.Add(new(entity.GetAttribute("entityID"), address, redirect is null, idp.GetAttribute("WantAuthnRequestsSigned") is "true" or "1", [.. Certificates(idp)]));
        }
    }

    /// <summary>Null: none of this binding that a browser can go to.</summary>
    private static string? SignOnAddress(XmlElement idp, string binding) => idp.Children("SingleSignOnService", SamlXml.Metadata)
        .Where(s => s.GetAttribute("Binding") == binding).Select(s => s.GetAttribute("Location"))
        .FirstOrDefault(a => Uri.TryCreate(a, UriKind.Absolute, out var url) && url.Scheme is "http" or "https");

    private static IEnumerable<X509Certificate2> Certificates(XmlElement idp)
    {
        foreach (var key in idp.Children("KeyDescriptor", SamlXml.Metadata).Where(k => k.GetAttribute("use") is "" or "signing"))
            foreach (var text in key.GetElementsByTagName("X509Certificate", SamlXml.Signature).OfType<XmlElement>())
                yield return Load(text.InnerText);
    }

    private static X509Certificate2 Load(string text)
    {
        try
        {
            return X509CertificateLoader.LoadCertificate(Convert.FromBase64String(text));
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            throw new ProviderException("the metadata hold a certificate that cannot be read", e);
        }
    }
}

using System.Globalization;
using System.IO.Compression;
using System.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography.Xml;
using System.Text;
using System.Xml;

namespace Matrix.ServiceTests.Sso;

/// <summary>What a response says; the defaults are those of a good one.</summary>
/// <param name="RequestId">Null: it answers none.</param>
internal sealed record SamlAnswer(string? RequestId)
{
    public TimeSpan ValidFrom { get; init; } = TimeSpan.FromMinutes(-10);
    /// <summary>Of the session at the identity provider; null: it does not say.</summary>
    public TimeSpan? SessionFor { get; init; }
    public string Uid { get; init; } = "sam";
    /// <summary>Another name than uid: the user must choose his name himself.</summary>
    public string UidAttribute { get; init; } = "uid";
    public IReadOnlyList<string> Emails { get; init; } = [];
    public string? DisplayName { get; init; } = "Sam";
    public string Group { get; init; } = "staff";
    public string Issuer { get; init; } = FakeSamlIdp.EntityId;
    public string Audience { get; init; } = $"{SsoFixture.PublicBase}_synapse/client/saml2/metadata.xml";
    public string Recipient { get; init; } = $"{SsoFixture.PublicBase}_synapse/client/saml2/authn_response";
    public TimeSpan ValidFor { get; init; } = TimeSpan.FromMinutes(5);
    public string Status { get; init; } = "urn:oasis:names:tc:SAML:2.0:status:Success";
    public string AssertionId { get; init; } = "_" + Guid.NewGuid().ToString("N");
    public string ResponseId { get; init; } = "_" + Guid.NewGuid().ToString("N");
}

/// <summary>A SAML identity provider: its metadata, and responses that it signs.</summary>
internal sealed class FakeSamlIdp : IDisposable
{
    public const string EntityId = "https://idp.test.example/entity";
    private const string Saml = "urn:oasis:names:tc:SAML:2.0:assertion";
    private readonly RSA key = RSA.Create(2048);
    private readonly X509Certificate2 certificate;

    public FakeSamlIdp() => certificate = new CertificateRequest("CN=idp", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
        .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));

    /// <summary>How requests come: <c>HTTP-Redirect</c> or <c>HTTP-POST</c>.</summary>
    public string Binding { get; set; } = "HTTP-Redirect";
    public bool WantsSignedRequests { get; set; }

    public string Metadata => $"""
        <md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{EntityId}"><md:IDPSSODescriptor WantAuthnRequestsSigned="{(WantsSignedRequests ? "true" : "false")}" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
        <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{Convert.ToBase64String(certificate.RawData)}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
        <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:{Binding}" Location="https://idp.test.example/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>
        """;

    /// <summary>The request that our server sent the browser with.</summary>
    public static XmlDocument RequestOf(string location)
    {
        var deflated = Convert.FromBase64String(FakeOidcProvider.QueryOf(location)["SAMLRequest"]);
        using var inflate = new DeflateStream(new MemoryStream(deflated), CompressionMode.Decompress);
        var document = new XmlDocument { PreserveWhitespace = true };
        document.Load(inflate);
        return document;
    }

    public static string RequestIdOf(string location) => RequestOf(location).DocumentElement!.GetAttribute("ID");

    public XmlDocument Unsigned(SamlAnswer a)
    {
        string Time(TimeSpan offset) => DateTimeOffset.UtcNow.Add(offset).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        string E(string s) => SecurityElement.Escape(s);
        var answers = a.RequestId is null ? "" : $" InResponseTo=\"{a.RequestId}\"";
        var session = a.SessionFor is { } end ? $"<saml:AuthnStatement AuthnInstant=\"{Time(default)}\" SessionNotOnOrAfter=\"{Time(end)}\"/>" : "";
        var document = new XmlDocument { PreserveWhitespace = true };
        document.LoadXml($"""
            <samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="{Saml}" ID="{a.ResponseId}" Version="2.0" IssueInstant="{Time(default)}" Destination="{E(a.Recipient)}"{answers}><saml:Issuer>{E(a.Issuer)}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{a.Status}"/></samlp:Status>
            <saml:Assertion ID="{a.AssertionId}" Version="2.0" IssueInstant="{Time(default)}"><saml:Issuer>{E(a.Issuer)}</saml:Issuer><saml:Subject><saml:NameID>{E(a.Uid)}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{Time(a.ValidFor)}" Recipient="{E(a.Recipient)}"{answers}/></saml:SubjectConfirmation></saml:Subject>
            <saml:Conditions NotBefore="{Time(a.ValidFrom)}" NotOnOrAfter="{Time(a.ValidFor)}"><saml:AudienceRestriction><saml:Audience>{E(a.Audience)}</saml:Audience></saml:AudienceRestriction></saml:Conditions>{session}
            <saml:AttributeStatement><saml:Attribute Name="{a.UidAttribute}"><saml:AttributeValue>{E(a.Uid)}</saml:AttributeValue></saml:Attribute><saml:Attribute Name="urn:oid:2.16.840.1.113730.3.1.241"><saml:AttributeValue>{E(a.DisplayName ?? "")}</saml:AttributeValue></saml:Attribute><saml:Attribute Name="userGroup"><saml:AttributeValue>{E(a.Group)}</saml:AttributeValue></saml:Attribute><saml:Attribute Name="mail">{string.Concat(a.Emails.Select(m => $"<saml:AttributeValue>{E(m)}</saml:AttributeValue>"))}</saml:Attribute></saml:AttributeStatement></saml:Assertion></samlp:Response>
            """);
        return document;
    }

    public static XmlElement AssertionOf(XmlDocument document) => (XmlElement)document.GetElementsByTagName("Assertion", Saml)[0]!;

    /// <summary>Signs the element with this id and puts the signature after its issuer.</summary>
    public void Sign(XmlElement element, RSA? otherKey = null, string digest = SignedXml.XmlDsigSHA256Url, string method = SignedXml.XmlDsigRSASHA256Url)
    {
        var signed = new SignedXml(element) { SigningKey = otherKey ?? key };
        signed.SignedInfo!.CanonicalizationMethod = SignedXml.XmlDsigExcC14NTransformUrl;
        signed.SignedInfo.SignatureMethod = method;
        var reference = new Reference("#" + element.GetAttribute("ID")) { DigestMethod = digest };
        reference.AddTransform(new XmlDsigEnvelopedSignatureTransform());
        reference.AddTransform(new XmlDsigExcC14NTransform());
        signed.AddReference(reference);
        signed.ComputeSignature();
        element.InsertAfter(element.OwnerDocument.ImportNode(signed.GetXml(), true), element["Issuer", Saml]);
    }

    /// <summary>A good response, its assertion signed.</summary>
    public string Answer(SamlAnswer answer)
    {
        var document = Unsigned(answer);
        Sign(AssertionOf(document));
        return Encode(document.OuterXml);
    }

    public static string Encode(string xml) => Convert.ToBase64String(Encoding.UTF8.GetBytes(xml));

    public void Dispose()
    {
        certificate.Dispose();
        key.Dispose();
    }
}

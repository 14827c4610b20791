using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Xml;
using Matrix.ClientApi.Pages;
using Matrix.ServiceDefaults;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>A SAML 2.0 identity provider: requests by redirect, responses by POST (saml-profiles-2.0-os 4.1).</summary>
internal sealed class SamlProvider(SamlConfig settings, HomeserverConfig config, SsoSteps steps, PendingStepStore seen, ProviderHttp http, TimeProvider clock) : ISsoProvider
{
    public const string Name = "saml";
    private const int MaxCharacters = 256 * 1024;
    private readonly SamlIdpMetadata metadata = new(settings, http, clock);

    public string Id => Name;
    public ProviderLabel Label => settings.Label;
    public bool EnableRegistration => true;

    public string EntityId => settings.EntityId ?? $"{config.PublicBaseUrl}_synapse/client/saml2/metadata.xml";
    public string ConsumerAddress => $"{config.PublicBaseUrl}_synapse/client/saml2/authn_response";

    public async Task<string> BeginAsync(SsoTarget target, Browser browser, IQueryCollection parameters, CancellationToken ct)
    {
        var idp = await metadata.GetAsync(ct);
        var requestId = "_" + RandomNumberGenerator.GetHexString(40, lowercase: true);
        var step = new SsoStep(Id, target.Goal, target.Value, Browser.Tag(browser.FlowSecret())) { RequestId = requestId };
        var state = await steps.CreateAsync(step, ct, settings.SessionLifetime);
        var separator = idp.SignOnAddress.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        return $"{idp.SignOnAddress}{separator}SAMLRequest={Uri.EscapeDataString(Request(requestId, idp.SignOnAddress))}&RelayState={state}";
    }

    /// <summary>Whom a response proves, and what the login was for. Only what the identity provider has signed is looked at.</summary>
    public async Task<(SsoIdentity Identity, SsoTarget Target, bool Unsolicited)> ReadAsync(string? samlResponse, string? relayState, Browser browser, CancellationToken ct)
    {
        if (samlResponse is not { Length: > 0 }) throw new PageException(400, "M_MISSING_PARAM", "The response of the identity provider is missing.");
        var document = SamlXml.Load(Decode(samlResponse), MaxCharacters);
        var response = document.DocumentElement!;
        var unsolicited = settings.AllowUnsolicited && !response.HasAttribute("InResponseTo");
        var step = unsolicited ? null : await steps.TakeAsync(relayState, browser, ct);
        if (step is not null && step.Provider != Id) throw new PageException(400, "invalid_session", "This login was begun at another provider.");
        var target = step?.Target ?? new SsoTarget(SsoGoal.Client, ClientAddresses.Require(relayState));
        var idp = await metadata.GetAsync(ct);
        var expected = new SamlExpectation(idp.EntityId, EntityId, ConsumerAddress, step?.RequestId, settings.AcceptedTimeDifference);
        var signed = SamlSignature.RequireSigned(response, idp.Certificates);
        SamlAssertion.RequireSuccess(response, expected);
        var assertion = SamlAssertion.Read(signed, expected, clock.GetUtcNow());
        // Each is shown once: whoever repeats it has listened.
        if (!await seen.MarkAsync("saml", $"{idp.EntityId} {assertion.Id}", assertion.Until, ct)) throw new ProviderException("the assertion was shown before");
        Requirements.Check(settings.Requirements, a => assertion.Attributes.GetValueOrDefault(a));
        return (Identity(assertion), target, unsolicited);
    }

    private SsoIdentity Identity(SamlAssertion assertion)
    {
        string? First(string attribute) => assertion.Attributes.GetValueOrDefault(attribute)?.FirstOrDefault(v => v.Length > 0);
        var id = First("uid") ?? assertion.NameId ?? throw new ProviderException("the assertion names no user (uid)");
        if (id.Length > 1024) throw new ProviderException("the user's id is too long");
        var localpart = First(settings.MxidSourceAttribute) is { } source ? Map(source) : null;
        return new(new ExternalId(Id, id))
        {
            Localpart = attempt => localpart is null ? null : attempt == 0 ? localpart : localpart + attempt.ToString(CultureInfo.InvariantCulture),
            ExistingLocalpart = settings.GrandfatheredAttribute is { } attribute && First(attribute) is { } old ? Map(old) : null,
            DisplayName = First("displayName"),
            Email = First("email"),
        };
    }

    private string Map(string name) => settings.DotReplace ? Localparts.DotReplace(name) : Localparts.HexEncode(name);

    private static string Decode(string base64)
    {
        if (base64.Length > MaxCharacters * 2) throw new ProviderException("the response is too large");
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(base64));
        }
        catch (FormatException e)
        {
            throw new ProviderException("the response is not base64", e);
        }
    }

    /// <summary>An AuthnRequest as the redirect binding wants it: deflated, base64 (saml-bindings-2.0-os 3.4.4).</summary>
    private string Request(string id, string destination)
    {
        using var bytes = new MemoryStream();
        using (var deflate = new DeflateStream(bytes, CompressionLevel.Optimal, leaveOpen: true))
        using (var w = XmlWriter.Create(deflate, new XmlWriterSettings { OmitXmlDeclaration = true, Encoding = new UTF8Encoding(false) }))
        {
            w.WriteStartElement("samlp", "AuthnRequest", SamlXml.Protocol);
            w.WriteAttributeString("ID", id);
            w.WriteAttributeString("Version", "2.0");
            w.WriteAttributeString("IssueInstant", clock.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
            w.WriteAttributeString("Destination", destination);
            w.WriteAttributeString("ProtocolBinding", SamlXml.PostBinding);
            w.WriteAttributeString("AssertionConsumerServiceURL", ConsumerAddress);
            w.WriteElementString("saml", "Issuer", SamlXml.Assertion, EntityId);
            w.WriteEndElement();
        }
        return Convert.ToBase64String(bytes.ToArray());
    }

    /// <summary>What identity providers want to know of us.</summary>
    public string Metadata()
    {
        var text = new StringBuilder();
        using (var w = XmlWriter.Create(text, new XmlWriterSettings { Indent = true, OmitXmlDeclaration = true }))
        {
            w.WriteStartElement("md", "EntityDescriptor", SamlXml.Metadata);
            w.WriteAttributeString("entityID", EntityId);
            w.WriteStartElement("md", "SPSSODescriptor", SamlXml.Metadata);
            w.WriteAttributeString("AuthnRequestsSigned", "false");
            w.WriteAttributeString("WantAssertionsSigned", "true");
            w.WriteAttributeString("protocolSupportEnumeration", SamlXml.Protocol);
            w.WriteStartElement("md", "AssertionConsumerService", SamlXml.Metadata);
            w.WriteAttributeString("Binding", SamlXml.PostBinding);
            w.WriteAttributeString("Location", ConsumerAddress);
            w.WriteAttributeString("index", "1");
            w.WriteAttributeString("isDefault", "true");
            w.WriteEndElement();
            w.WriteEndElement();
            w.WriteEndElement();
        }
        return text.ToString();
    }
}

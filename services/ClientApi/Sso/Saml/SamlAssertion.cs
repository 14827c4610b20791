using System.Globalization;
using System.Xml;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>What an assertion must be for.</summary>
/// <param name="RequestId">Of our request; null: there was none, and none may be named.</param>
internal sealed record SamlExpectation(string Issuer, string Audience, string Recipient, string? RequestId, TimeSpan Leeway);

/// <summary>An assertion that has been checked: it is by whom, for whom and about what it should be, and it is its time.</summary>
internal sealed record SamlAssertion(string Id, DateTimeOffset Until, string? NameId, IReadOnlyDictionary<string, List<string>> Attributes)
{
    private const string Bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
    private const string Success = "urn:oasis:names:tc:SAML:2.0:status:Success";
    private const string Transient = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";

    /// <summary>Attributes that are named by their object identifiers are known by their usual names as well.</summary>
    private static readonly Dictionary<string, string> Names = new(StringComparer.Ordinal)
    {
        ["urn:oid:0.9.2342.19200300.100.1.1"] = "uid",
        ["urn:oid:0.9.2342.19200300.100.1.3"] = "email",
        ["urn:oid:2.16.840.1.113730.3.1.241"] = "displayName",
        ["urn:oid:2.5.4.42"] = "givenName",
        ["urn:oid:2.5.4.4"] = "surName",
        ["urn:oid:2.5.4.3"] = "cn",
        ["urn:oid:1.3.6.1.4.1.5923.1.1.1.6"] = "eduPersonPrincipalName",
        ["urn:oid:1.3.6.1.4.1.5923.1.5.1.1"] = "isMemberOf",
        ["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"] = "email",
        ["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"] = "upn",
        ["mail"] = "email",
    };

    /// <summary>The status of a response, its addressee and what it answers. saml-profiles-2.0-os 4.1.4</summary>
    public static void RequireSuccess(XmlElement response, SamlExpectation expected)
    {
        if (response.LocalName != "Response" || response.NamespaceURI != SamlXml.Protocol || response.GetAttribute("Version") != "2.0")
            throw new ProviderException("this is no response of SAML 2.0");
        var status = response.Child("Status", SamlXml.Protocol)?.Child("StatusCode", SamlXml.Protocol)?.Value("Value");
        if (status != Success) throw new ProviderException($"the identity provider says {status}");
        if (response.Value("Destination") is { Length: > 0 } destination && destination != expected.Recipient) throw new ProviderException("the response is for another address");
        if (response.Child("Issuer", SamlXml.Assertion) is { } issuer && issuer.InnerText.Trim() != expected.Issuer) throw new ProviderException("the response is from somebody else");
        if (response.Value("InResponseTo") is { } answered && answered != expected.RequestId) throw new ProviderException("the response answers another request");
    }

    public static SamlAssertion Read(XmlElement assertion, SamlExpectation expected, DateTimeOffset now)
    {
        if (assertion.GetAttribute("Version") != "2.0" || assertion.Value("ID") is not { Length: > 0 and < 512 } id) throw new ProviderException("this is no assertion of SAML 2.0");
        if (assertion.Child("Issuer", SamlXml.Assertion)?.InnerText.Trim() != expected.Issuer) throw new ProviderException("the assertion is from somebody else");
        RequireConditions(assertion, expected, now);
        var subject = assertion.Child("Subject", SamlXml.Assertion) ?? throw new ProviderException("the assertion is about nobody");
        var until = RequireBearer(subject, expected, now);
        foreach (var statement in assertion.Children("AuthnStatement", SamlXml.Assertion))
            if (Time(statement, "SessionNotOnOrAfter") is { } end && end + expected.Leeway <= now) throw new ProviderException("the session at the identity provider has ended");
        var name = subject.Child("NameID", SamlXml.Assertion);
        var nameId = name is not null && name.GetAttribute("Format") != Transient ? name.InnerText.Trim() : null;
        return new(id, until, string.IsNullOrEmpty(nameId) ? null : nameId, ReadAttributes(assertion));
    }

    private static void RequireConditions(XmlElement assertion, SamlExpectation expected, DateTimeOffset now)
    {
        var conditions = assertion.Child("Conditions", SamlXml.Assertion) ?? throw new ProviderException("the assertion has no conditions");
        if (Time(conditions, "NotBefore") is { } from && from - expected.Leeway > now) throw new ProviderException("the assertion is not good yet");
        if (Time(conditions, "NotOnOrAfter") is { } end && end + expected.Leeway <= now) throw new ProviderException("the assertion has expired");
        var restrictions = conditions.Children("AudienceRestriction", SamlXml.Assertion).ToList();
        // Every restriction must be met; saml-profiles-2.0-os 4.1.4.2 wants at least one.
        if (restrictions.Count == 0 || !restrictions.All(r => r.Children("Audience", SamlXml.Assertion).Any(a => a.InnerText.Trim() == expected.Audience)))
            throw new ProviderException("the assertion is for another audience");
    }

    /// <summary>Until when the assertion may be shown.</summary>
    private static DateTimeOffset RequireBearer(XmlElement subject, SamlExpectation expected, DateTimeOffset now)
    {
        foreach (var confirmation in subject.Children("SubjectConfirmation", SamlXml.Assertion).Where(c => c.GetAttribute("Method") == Bearer))
        {
            if (confirmation.Child("SubjectConfirmationData", SamlXml.Assertion) is not { } data || data.HasAttribute("NotBefore")) continue;
            if (Time(data, "NotOnOrAfter") is not { } end || end + expected.Leeway <= now) continue;
            if (data.Value("Recipient") != expected.Recipient || data.Value("InResponseTo") != expected.RequestId) continue;
            return end + expected.Leeway;
        }
        throw new ProviderException("the assertion is expired, for another address, or an answer to another request");
    }

    private static Dictionary<string, List<string>> ReadAttributes(XmlElement assertion)
    {
        var attributes = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var attribute in assertion.Children("AttributeStatement", SamlXml.Assertion).SelectMany(s => s.Children("Attribute", SamlXml.Assertion)))
        {
            var values = attribute.Children("AttributeValue", SamlXml.Assertion).Select(v => v.InnerText.Trim()).ToList();
            var name = attribute.GetAttribute("Name");
            foreach (var key in (string?[])[name, attribute.Value("FriendlyName"), Names.GetValueOrDefault(name)])
                if (key is { Length: > 0 }) attributes.TryAdd(key, values);
        }
        return attributes;
    }

    private static DateTimeOffset? Time(XmlElement element, string attribute)
    {
        if (element.Value(attribute) is not { } text) return null;
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time)
            ? time : throw new ProviderException($"{attribute} is no time");
    }
}

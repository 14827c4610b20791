using System.Xml;
using System.Xml.Linq;

namespace Matrix.ClientApi.Sso.Cas;

/// <summary>What a CAS server says of a ticket.</summary>
internal sealed record CasResponse(string User, IReadOnlyDictionary<string, List<string>> Attributes)
{
    private const int MaxCharacters = 256 * 1024;
    private static readonly XNamespace Cas = "http://www.yale.edu/tp/cas";

    /// <summary>A ticket that is not good, and what is no answer at all, is a <see cref="ProviderException"/>. Document types are not read.</summary>
    public static CasResponse Parse(string xml)
    {
        XElement? root;
        try
        {
            using var reader = XmlReader.Create(new StringReader(xml), new XmlReaderSettings
            {
                DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = MaxCharacters, MaxCharactersFromEntities = 1024,
            });
            root = XDocument.Load(reader).Root;
        }
        catch (XmlException e)
        {
            throw new ProviderException($"the answer of CAS is not XML that can be read: {e.Message}", e);
        }
        if (root?.Name != Cas + "serviceResponse") throw new ProviderException("the answer of CAS has another root element");
        if (root.Element(Cas + "authenticationSuccess") is not { } success)
            throw new ProviderException($"CAS refuses the ticket: {root.Element(Cas + "authenticationFailure")?.Attribute("code")?.Value ?? "no reason given"}");
        if (success.Element(Cas + "user")?.Value.Trim() is not { Length: > 0 and <= 255 } user) throw new ProviderException("the answer of CAS names no user");
        var attributes = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        foreach (var attribute in success.Element(Cas + "attributes")?.Elements() ?? [])
        {
            if (!attributes.TryGetValue(attribute.Name.LocalName, out var values)) attributes[attribute.Name.LocalName] = values = [];
            values.Add(attribute.Value.Trim());
        }
        return new(user, attributes);
    }
}

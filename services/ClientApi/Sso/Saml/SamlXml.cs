using System.Xml;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>Names of SAML 2.0, and reading XML that comes from outside: no document types, no entities, nothing fetched, a bounded size.</summary>
internal static class SamlXml
{
    public const string Protocol = "urn:oasis:names:tc:SAML:2.0:protocol";
    public const string Assertion = "urn:oasis:names:tc:SAML:2.0:assertion";
    public const string Metadata = "urn:oasis:names:tc:SAML:2.0:metadata";
    public const string Signature = "http://www.w3.org/2000/09/xmldsig#";
    public const string RedirectBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
    public const string PostBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
    private const int MaxDepth = 64;

    public static XmlDocument Load(string xml, int maxCharacters) =>
        xml.Length > maxCharacters ? throw new ProviderException("the XML is too large") : Load(xml, maxCharacters, null);

    /// <summary>An element for the place of this one: prefixes mean what they mean there (xmlenc-core1 4.4). It is not put there yet.</summary>
    public static XmlElement LoadWithin(XmlElement place, string xml)
    {
        var names = new NameTable();
        var prefixes = new XmlNamespaceManager(names);
        foreach (var (prefix, ns) in place.CreateNavigator()!.GetNamespacesInScope(XmlNamespaceScope.ExcludeXml)) prefixes.AddNamespace(prefix, ns);
        var document = Load(xml, xml.Length, new XmlParserContext(names, prefixes, null, XmlSpace.None));
        return (XmlElement)place.OwnerDocument.ImportNode(document.DocumentElement!, deep: true);
    }

    private static XmlDocument Load(string xml, int maxCharacters, XmlParserContext? context)
    {
        try
        {
            using var reader = XmlReader.Create(new StringReader(xml), new XmlReaderSettings
            {
                DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null, MaxCharactersInDocument = maxCharacters, MaxCharactersFromEntities = 1024,
            }, context);
            // White space belongs to what is signed.
            var document = new XmlDocument { PreserveWhitespace = true, XmlResolver = null };
            document.Load(reader);
            RequireFlat(document.DocumentElement!, 0);
            return document;
        }
        catch (XmlException e)
        {
            throw new ProviderException($"the XML cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Elements directly below.</summary>
    public static IEnumerable<XmlElement> Children(this XmlElement parent, string name, string ns) =>
        parent.ChildNodes.OfType<XmlElement>().Where(e => e.LocalName == name && e.NamespaceURI == ns);

    /// <summary>The one element of this name directly below; null: none. Several are a fault.</summary>
    public static XmlElement? Child(this XmlElement parent, string name, string ns)
    {
        var all = parent.Children(name, ns).Take(2).ToList();
        return all.Count > 1 ? throw new ProviderException($"there is more than one {name}") : all.FirstOrDefault();
    }

    /// <summary>Null: not there.</summary>
    public static string? Value(this XmlElement element, string attribute) => element.HasAttribute(attribute) ? element.GetAttribute(attribute) : null;

    private static void RequireFlat(XmlElement element, int depth)
    {
        if (depth > MaxDepth) throw new ProviderException("the XML is nested too deeply");
        foreach (var child in element.ChildNodes.OfType<XmlElement>()) RequireFlat(child, depth + 1);
    }
}

using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Xml;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>What identity providers want to know of us (saml-metadata-2.0-os 2.4.4).</summary>
internal static class SamlMetadata
{
    public static string Write(SamlConfig settings, string entityId, string consumerAddress)
    {
        var text = new StringBuilder();
        using (var w = XmlWriter.Create(text, new XmlWriterSettings { Indent = true, OmitXmlDeclaration = true }))
        {
            w.WriteStartElement("md", "EntityDescriptor", SamlXml.Metadata);
            w.WriteAttributeString("entityID", entityId);
            w.WriteStartElement("md", "SPSSODescriptor", SamlXml.Metadata);
            w.WriteAttributeString("AuthnRequestsSigned", settings.SignRequests ? "true" : "false");
            w.WriteAttributeString("WantAssertionsSigned", "true");
            w.WriteAttributeString("protocolSupportEnumeration", SamlXml.Protocol);
            if (settings.SigningKey is { } signing) WriteKey(w, "signing", signing.Certificate, []);
            foreach (var key in settings.EncryptionKeys) WriteKey(w, "encryption", key.Certificate, SamlCiphers.Offered);
            w.WriteStartElement("md", "AssertionConsumerService", SamlXml.Metadata);
            w.WriteAttributeString("Binding", SamlXml.PostBinding);
            w.WriteAttributeString("Location", consumerAddress);
            w.WriteAttributeString("index", "1");
            w.WriteAttributeString("isDefault", "true");
            w.WriteEndElement();
            w.WriteEndElement();
            w.WriteEndElement();
        }
        return text.ToString();
    }

    private static void WriteKey(XmlWriter w, string use, X509Certificate2 certificate, string[] methods)
    {
        w.WriteStartElement("md", "KeyDescriptor", SamlXml.Metadata);
        w.WriteAttributeString("use", use);
        w.WriteStartElement("ds", "KeyInfo", SamlXml.Signature);
        w.WriteStartElement("ds", "X509Data", SamlXml.Signature);
        w.WriteElementString("ds", "X509Certificate", SamlXml.Signature, Convert.ToBase64String(certificate.RawData));
        w.WriteEndElement();
        w.WriteEndElement();
        foreach (var method in methods)
        {
            w.WriteStartElement("md", "EncryptionMethod", SamlXml.Metadata);
            w.WriteAttributeString("Algorithm", method);
            w.WriteEndElement();
        }
        w.WriteEndElement();
    }
}

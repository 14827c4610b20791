using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Security.Cryptography.Xml;
using System.Text;
using System.Xml;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>Our requests to the identity provider, signed where that is wanted (saml-core-2.0-os 3.4.1).</summary>
internal sealed class SamlRequests(SamlConfig settings, string entityId, string consumerAddress, TimeProvider clock)
{
    /// <summary>An address with the request in it: deflated, and with the signature beside it (saml-bindings-2.0-os 3.4.4).</summary>
    public string Redirect(SamlIdp idp, string requestId, string relayState)
    {
        var query = $"SAMLRequest={Uri.EscapeDataString(Deflate(Request(idp, requestId).OuterXml))}&RelayState={Uri.EscapeDataString(relayState)}";
        if (KeyFor(idp) is { } key)
        {
            // What is signed is the text of these parameters, in this order.
            query += $"&SigAlg={Uri.EscapeDataString(SignedXml.XmlDsigRSASHA256Url)}";
            using var rsa = key.Open();
            query += $"&Signature={Uri.EscapeDataString(Convert.ToBase64String(rsa.SignData(Encoding.ASCII.GetBytes(query), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)))}";
        }
        return $"{idp.SignOnAddress}{(idp.SignOnAddress.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{query}";
    }

    /// <summary>The field SAMLRequest of a form, signed inside (saml-bindings-2.0-os 3.5.4).</summary>
    public string Form(SamlIdp idp, string requestId)
    {
        var request = Request(idp, requestId);
        if (KeyFor(idp) is { } key) Sign(request.DocumentElement!, key);
        return Convert.ToBase64String(Encoding.UTF8.GetBytes(request.OuterXml));
    }

    /// <summary>Null: the request goes unsigned. A provider that wants what we cannot do is a <see cref="ProviderException"/>.</summary>
    public SamlKey? KeyFor(SamlIdp idp)
    {
        if (!settings.SignRequests && !idp.WantsSignedRequests) return null;
        return settings.SigningKey ?? throw new ProviderException("the identity provider wants signed requests (WantAuthnRequestsSigned): saml2_config.sp_config.key_file and cert_file are missing");
    }

    private XmlDocument Request(SamlIdp idp, string id)
    {
        var document = new XmlDocument();
        using var w = document.CreateNavigator()!.AppendChild();
        w.WriteStartElement("samlp", "AuthnRequest", SamlXml.Protocol);
        w.WriteAttributeString("ID", id);
        w.WriteAttributeString("Version", "2.0");
        w.WriteAttributeString("IssueInstant", clock.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
        w.WriteAttributeString("Destination", idp.SignOnAddress);
        w.WriteAttributeString("ProtocolBinding", SamlXml.PostBinding);
        w.WriteAttributeString("AssertionConsumerServiceURL", consumerAddress);
        w.WriteElementString("saml", "Issuer", SamlXml.Assertion, entityId);
        w.WriteEndElement();
        w.Close();
        return document;
    }

    /// <summary>The signature comes after the issuer: the schema wants it there.</summary>
    private static void Sign(XmlElement request, SamlKey key)
    {
        using var rsa = key.Open();
        var signed = new SignedXml(request) { SigningKey = rsa };
        signed.SignedInfo!.CanonicalizationMethod = SignedXml.XmlDsigExcC14NTransformUrl;
        signed.SignedInfo.SignatureMethod = SignedXml.XmlDsigRSASHA256Url;
        var reference = new Reference("#" + request.GetAttribute("ID")) { DigestMethod = SignedXml.XmlDsigSHA256Url };
        reference.AddTransform(new XmlDsigEnvelopedSignatureTransform());
        reference.AddTransform(new XmlDsigExcC14NTransform());
        signed.AddReference(reference);
        signed.KeyInfo = new KeyInfo();
        signed.KeyInfo.AddClause(new KeyInfoX509Data(key.Certificate));
        signed.ComputeSignature();
        request.InsertAfter(request.OwnerDocument.ImportNode(signed.GetXml(), deep: true), request.Child("Issuer", SamlXml.Assertion));
    }

    private static string Deflate(string xml)
    {
        using var bytes = new MemoryStream();
        using (var deflate = new DeflateStream(bytes, CompressionLevel.Optimal, leaveOpen: true)) deflate.Write(Encoding.UTF8.GetBytes(xml));
        return Convert.ToBase64String(bytes.ToArray());
    }
}

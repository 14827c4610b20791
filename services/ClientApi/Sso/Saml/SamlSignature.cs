using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography.Xml;
using System.Xml;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>
/// Finds out which element of a response the identity provider has signed. Against wrapped signatures: a signature counts for the element that it
/// stands directly in and for no other, ids are unique in the document, and whoever asks goes on with the signed element alone.
/// </summary>
internal static class SamlSignature
{
    private static readonly HashSet<string> Methods =
    [
        SignedXml.XmlDsigRSASHA256Url, SignedXml.XmlDsigRSASHA384Url, SignedXml.XmlDsigRSASHA512Url,
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
    ];
    private static readonly HashSet<string> Digests = [SignedXml.XmlDsigSHA256Url, SignedXml.XmlDsigSHA384Url, SignedXml.XmlDsigSHA512Url];
    private static readonly HashSet<string> Canonical = [SignedXml.XmlDsigExcC14NTransformUrl, SignedXml.XmlDsigExcC14NWithCommentsTransformUrl];
    /// <summary>Signatures in one document that are looked at.</summary>
    private const int MaxSignatures = 2;
    /// <summary>Each costs a decryption with every key of ours.</summary>
    private const int MaxEncryptedAttributes = 50;
    private const string Assertion = "Assertion";
    private const string EncryptedAssertion = "EncryptedAssertion";

    /// <summary>The assertion that may be believed: itself signed, or the only one of a signed response. Anything else is a <see cref="ProviderException"/>.</summary>
    /// <remarks>An encrypted one is in its place afterwards, and is checked like one that was never encrypted.</remarks>
    public static XmlElement RequireSigned(XmlElement response, IReadOnlyList<X509Certificate2> certificates, SamlDecryption decryption, SamlConfig settings)
    {
        var assertion = RequireOneAssertion(response);
        // The signature of the response is for what was sent: before anything is decrypted.
        var isResponseSigned = IsSigned(response, certificates);
        if (settings.WantResponseSigned && !isResponseSigned) throw new ProviderException("the response is not signed by the identity provider (want_response_signed)");
        if (assertion.LocalName == EncryptedAssertion)
        {
            decryption.Replace(assertion, Assertion, isResponseSigned);
            assertion = RequireOneAssertion(response);
        }
        if ((settings.WantAssertionsSigned || !isResponseSigned) && !IsSigned(assertion, certificates))
            throw new ProviderException("neither the response nor the assertion is signed by the identity provider, or the assertion must be (want_assertions_signed)");
        // What is signed is proved, and so is what is encrypted within it.
        if (assertion.Child("Subject", SamlXml.Assertion)?.Child("EncryptedID", SamlXml.Assertion) is { } id) decryption.Replace(id, "NameID", isProved: true);
        var attributes = assertion.Children("AttributeStatement", SamlXml.Assertion).SelectMany(s => s.Children("EncryptedAttribute", SamlXml.Assertion)).ToList();
        if (attributes.Count > MaxEncryptedAttributes) throw new ProviderException($"there are more than {MaxEncryptedAttributes} encrypted attributes");
        foreach (var attribute in attributes) decryption.Replace(attribute, "Attribute", isProved: true);
        return assertion;
    }

    /// <summary>The only assertion, clear or encrypted.</summary>
    private static XmlElement RequireOneAssertion(XmlElement response)
    {
        RequireUniqueIds(response);
        if (response.GetElementsByTagName("Signature", SamlXml.Signature).Count > MaxSignatures) throw new ProviderException("there are too many signatures");
        var assertions = response.GetElementsByTagName(Assertion, SamlXml.Assertion).OfType<XmlElement>()
            .Concat(response.GetElementsByTagName(EncryptedAssertion, SamlXml.Assertion).OfType<XmlElement>()).ToList();
        return assertions is [var assertion] && assertion.ParentNode == response
            ? assertion : throw new ProviderException("there must be exactly one assertion, directly in the response");
    }

    private static bool IsSigned(XmlElement element, IReadOnlyList<X509Certificate2> certificates)
    {
        if (element.Child("Signature", SamlXml.Signature) is not { } signature) return false;
        var signed = new BoundSignature(element);
        try
        {
            signed.LoadXml(signature);
            RequireSimple(signed, element);
            // A signature that is there and wrong is an attack or a mistake: the other one does not make up for it.
            if (!certificates.Any(c => signed.CheckSignature(c, verifySignatureOnly: true))) throw new ProviderException("a signature is wrong, or made with another key");
        }
        catch (CryptographicException e)
        {
            throw new ProviderException($"a signature cannot be read: {e.Message}", e);
        }
        return true;
    }

    /// <summary>One reference, to the element itself, with nothing done to it but what SAML allows (saml-core-2.0-os 5.4).</summary>
    private static void RequireSimple(SignedXml signed, XmlElement element)
    {
        var info = signed.SignedInfo!;
        if (info.SignatureMethod is not { } method || !Methods.Contains(method)) throw new ProviderException($"signatures of kind {info.SignatureMethod} are not accepted");
        if (!Canonical.Contains(info.CanonicalizationMethod)) throw new ProviderException("the signature's canonical form is not accepted");
        if (info.References.Count != 1) throw new ProviderException("a signature must have one reference");
        var reference = (Reference)info.References[0]!;
        if (element.GetAttribute("ID") is not { Length: > 0 } id || reference.Uri != "#" + id) throw new ProviderException("a signature is for another element than the one it stands in");
        if (!Digests.Contains(reference.DigestMethod)) throw new ProviderException($"digests of kind {reference.DigestMethod} are not accepted");
        if (reference.TransformChain.Count > 2) throw new ProviderException("the signature does too much to what it signs");
        for (var i = 0; i < reference.TransformChain.Count; i++)
        {
            var algorithm = reference.TransformChain[i].Algorithm!;
            if (algorithm != SignedXml.XmlDsigEnvelopedSignatureTransformUrl && !Canonical.Contains(algorithm))
                throw new ProviderException("the signature does something to what it signs that is not accepted");
        }
    }

    private static void RequireUniqueIds(XmlElement root)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var element in root.GetElementsByTagName("*").OfType<XmlElement>().Prepend(root))
            foreach (var attribute in element.Attributes.OfType<XmlAttribute>().Where(a => a.LocalName.Equals("id", StringComparison.OrdinalIgnoreCase)))
                if (!seen.Add(attribute.Value)) throw new ProviderException("an id occurs more than once");
    }

    /// <summary>References lead to the element that the signature stands in, wherever else their id might be found.</summary>
    private sealed class BoundSignature(XmlElement element) : SignedXml(element)
    {
        private readonly XmlElement element = element;

        public override XmlElement? GetIdElement(XmlDocument? document, string idValue) => element.GetAttribute("ID") == idValue ? element : null;
    }
}

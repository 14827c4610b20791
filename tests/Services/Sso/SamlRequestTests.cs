using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Security.Cryptography.Xml;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using Matrix.ClientApi.Sso.Saml;

namespace Matrix.ServiceTests.Sso;

/// <summary>Signed requests by redirect.</summary>
public sealed class SamlRequestTests(SamlKeysFixture sso) : IClassFixture<SamlKeysFixture>
{
    [Fact]
    public async Task A_request_by_redirect_carries_a_signature_of_its_parameters()
    {
        var gone = (await sso.NewBrowser().GetAsync(SamlVisit.Redirect)).Require(302);
        var query = gone.Location![(gone.Location!.IndexOf('?', StringComparison.Ordinal) + 1)..];
        Assert.Equal(["SAMLRequest", "RelayState", "SigAlg", "Signature"], query.Split('&').Select(p => p.Split('=')[0]));
        Assert.Equal("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", FakeOidcProvider.QueryOf(gone.Location!)["SigAlg"]);
        var signed = query[..query.IndexOf("&Signature=", StringComparison.Ordinal)];
        var signature = Convert.FromBase64String(FakeOidcProvider.QueryOf(gone.Location!)["Signature"]);
        using var key = sso.Signing.Certificate.GetRSAPublicKey()!;
        Assert.True(key.VerifyData(Encoding.ASCII.GetBytes(signed), signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        // The binding wants it beside the request, not in it as well.
        Assert.Empty(FakeSamlIdp.RequestOf(gone.Location!).GetElementsByTagName("Signature", SamlXml.Signature));
    }
}

/// <summary>An identity provider that takes requests by a form only, and wants them signed.</summary>
public sealed partial class SamlPostTests(SamlPostFixture sso) : IClassFixture<SamlPostFixture>
{
    [Fact]
    public async Task A_form_takes_the_request_to_the_identity_provider()
    {
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync(SamlVisit.Redirect)).Require(302);
        Assert.StartsWith(SsoFixture.PublicBase + "_synapse/client/saml2/authn_request?state=", gone.Location);
        var page = (await browser.GetAsync(gone.Location!)).Require(200);
        Assert.Equal("https://idp.test.example/sso", WebUtility.HtmlDecode(Action().Match(page.Body).Groups[1].Value));
        Assert.Contains("<button", page.Body);
        var script = Script().Match(page.Body).Groups[1].Value;
        Assert.Contains($"script-src 'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)))}'", page.Header("Content-Security-Policy"));
        var fields = page.HiddenFields.ToDictionary(f => f.Name, f => f.Value);
        var request = new XmlDocument { PreserveWhitespace = true };
        request.LoadXml(Encoding.UTF8.GetString(Convert.FromBase64String(fields["SAMLRequest"])));
        RequireSigned(request.DocumentElement!);
        var response = sso.Saml.Answer(new(request.DocumentElement!.GetAttribute("ID")) { Uid = sso.NewName() });
        (await new SamlVisit(browser, "", fields["RelayState"]).PostAsync(response)).Require(302);
        // The login is over: its page is, too.
        (await browser.GetAsync(gone.Location!)).Require(400);
    }

    private void RequireSigned(XmlElement request)
    {
        Assert.Equal(["Issuer", "Signature"], request.ChildNodes.OfType<XmlElement>().Select(e => e.LocalName));
        var signed = new SignedXml(request);
        signed.LoadXml(request["Signature", SamlXml.Signature]!);
        Assert.Equal(SignedXml.XmlDsigRSASHA256Url, signed.SignatureMethod);
        Assert.Equal("#" + request.GetAttribute("ID"), Assert.Single(signed.SignedInfo!.References.OfType<Reference>()).Uri);
        Assert.True(signed.CheckSignature(sso.Signing.Certificate, verifySignatureOnly: true));
        request.SetAttribute("Destination", "https://elsewhere.example");
        Assert.False(signed.CheckSignature(sso.Signing.Certificate, verifySignatureOnly: true));
    }

    [Fact]
    public async Task The_form_is_for_the_browser_that_began_the_login()
    {
        var gone = (await sso.NewBrowser().GetAsync(SamlVisit.Redirect)).Require(302);
        (await sso.NewBrowser().GetAsync(gone.Location!)).Require(400);
        (await sso.NewBrowser().GetAsync("/_synapse/client/saml2/authn_request")).Require(400);
    }

    [Fact]
    public async Task Without_a_key_no_login_begins_where_signed_requests_are_wanted()
    {
        var browser = sso.NewBrowser();
        browser.Host = sso.Second;
        Assert.Contains("SAML", (await browser.GetAsync(SamlVisit.Redirect)).Require(502).Body);
    }

    [GeneratedRegex("<form method=\"post\" action=\"([^\"]*)\">")]
    private static partial Regex Action();
    [GeneratedRegex("<script>(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Script();
}

using System.Xml;

namespace Matrix.ServiceTests.Sso;

/// <summary>A login that waits for the identity provider's answer.</summary>
internal sealed record SamlVisit(TestBrowser Browser, string RequestId, string RelayState)
{
    public const string Consumer = "/_synapse/client/saml2/authn_response";
    public static readonly string Redirect = "/_matrix/client/v3/login/sso/redirect/saml?redirectUrl=" + Uri.EscapeDataString(SsoFixture.Trusted);

    public static async Task<SamlVisit> BeginAsync(SsoFixture sso)
    {
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync(Redirect)).Require(302);
        Assert.StartsWith("https://idp.test.example/sso?SAMLRequest=", gone.Location);
        return new(browser, FakeSamlIdp.RequestIdOf(gone.Location!), FakeOidcProvider.QueryOf(gone.Location!)["RelayState"]);
    }

    /// <summary>As the identity provider's page posts it: from another site.</summary>
    public Task<Visit> PostAsync(string response)
    {
        Browser.Origin = "https://idp.test.example";
        return Browser.PostAsync(Consumer, ("SAMLResponse", response), ("RelayState", RelayState));
    }

    public Task<Visit> PostAsync(XmlDocument response) => PostAsync(FakeSamlIdp.Encode(response.OuterXml));
}

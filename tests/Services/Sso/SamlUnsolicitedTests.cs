using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.Sso;

/// <summary>Logins may begin at the identity provider (<c>allow_unsolicited</c>).</summary>
public sealed class SamlUnsolicitedFixture : SsoFixture
{
    protected override HomeserverConfig Adjust(HomeserverConfig config) => config with { Sso = config.Sso with { Saml = config.Sso.Saml! with { AllowUnsolicited = true } } };
}

public sealed class SamlUnsolicitedTests(SamlUnsolicitedFixture sso) : IClassFixture<SamlUnsolicitedFixture>
{
    private Task<Visit> PostAsync(string response, string relayState) => new SamlVisit(sso.NewBrowser(), "", relayState).PostAsync(response);

    [Fact]
    public async Task Whoever_comes_unasked_is_asked_before_even_a_trusted_client_gets_a_token()
    {
        var name = sso.NewName();
        var response = sso.Saml.Answer(new(null) { Uid = name });
        var page = (await PostAsync(response, SsoFixture.Trusted)).Require(200);
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(page.Button)).RequireOk().Text("user_id"));
        (await PostAsync(response, SsoFixture.Trusted)).Require(401);
    }

    [Theory]
    [InlineData("javascript:alert(1)")]
    [InlineData("//evil.example/")]
    [InlineData("/relative")]
    [InlineData("")]
    public async Task The_relay_state_is_an_address_of_a_client(string relayState) =>
        (await PostAsync(sso.Saml.Answer(new(null) { Uid = sso.NewName() }), relayState)).Require(400);

    /// <summary>Only the assertion is signed: whoever has got hold of it takes out of the response what it answers.</summary>
    [Fact]
    public async Task An_answer_to_a_request_does_not_become_one_to_none()
    {
        var begun = await SamlVisit.BeginAsync(sso);
        var document = sso.Saml.Unsigned(new(begun.RequestId) { Uid = sso.NewName("victim") });
        sso.Saml.Sign(FakeSamlIdp.AssertionOf(document));
        document.DocumentElement!.RemoveAttribute("InResponseTo");
        (await PostAsync(FakeSamlIdp.Encode(document.OuterXml), SsoFixture.Trusted)).Require(401);
        (await begun.PostAsync(sso.Saml.Answer(new(begun.RequestId) { Uid = sso.NewName() }))).Require(302);
    }
}

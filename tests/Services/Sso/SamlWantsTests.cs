using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.Sso;

/// <summary>The first instance wants signed responses, the second signed assertions.</summary>
public sealed class SamlWantsFixture : SamlKeysFixture
{
    private bool isFirstMade;

    protected override HomeserverConfig Adjust(HomeserverConfig config)
    {
        var saml = base.Adjust(config).Sso.Saml! with { WantResponseSigned = !isFirstMade, WantAssertionsSigned = isFirstMade };
        isFirstMade = true;
        return config with { Sso = config.Sso with { Saml = saml } };
    }
}

public sealed class SamlWantsTests(SamlWantsFixture sso) : IClassFixture<SamlWantsFixture>
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_settings_may_demand_one_of_the_signatures(bool encrypted)
    {
        foreach (var (response, assertion, first, second) in ((bool, bool, int, int)[])[(true, false, 302, 401), (false, true, 401, 302), (true, true, 302, 302)])
        {
            Assert.Equal(first, await AnswerAsync(wantsAssertion: false));
            Assert.Equal(second, await AnswerAsync(wantsAssertion: true));

            async Task<int> AnswerAsync(bool wantsAssertion)
            {
                var begun = await SamlVisit.BeginAsync(sso);
                begun.Browser.Host = wantsAssertion ? sso.Second : sso.First;
                var document = sso.Saml.Unsigned(new(begun.RequestId) { Uid = sso.NewName() });
                if (assertion) sso.Saml.Sign(FakeSamlIdp.AssertionOf(document));
                if (encrypted) new SamlEncryption(sso.Current.Open()).Replace(FakeSamlIdp.AssertionOf(document));
                if (response) sso.Saml.Sign(document.DocumentElement!);
                return (await begun.PostAsync(document)).Status;
            }
        }
    }
}

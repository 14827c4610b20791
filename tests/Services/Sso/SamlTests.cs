using System.Security.Cryptography;
using System.Security.Cryptography.Xml;
using System.Xml;

namespace Matrix.ServiceTests.Sso;

public sealed class SamlTests(SsoFixture sso) : IClassFixture<SsoFixture>
{
    private Task<SamlVisit> BeginAsync() => SamlVisit.BeginAsync(sso);

    private async Task RefuseAsync(Func<SamlAnswer, SamlAnswer>? change = null, Func<XmlDocument, string>? spoil = null, int status = 401)
    {
        var begun = await BeginAsync();
        var answer = new SamlAnswer(begun.RequestId) { Uid = sso.NewName("victim") };
        answer = change?.Invoke(answer) ?? answer;
        string response;
        if (spoil is null) response = sso.Saml.Answer(answer);
        else response = FakeSamlIdp.Encode(spoil(sso.Saml.Unsigned(answer)));
        var page = (await begun.PostAsync(response)).Require(status);
        Assert.DoesNotContain("loginToken", page.Body);
    }

    [Fact]
    public async Task A_signed_assertion_logs_in_on_whichever_instance_and_once()
    {
        var begun = await BeginAsync();
        var name = sso.NewName("Saml ");
        var response = sso.Saml.Answer(new(begun.RequestId) { Uid = name });
        begun.Browser.Host = sso.Second;
        var back = (await begun.PostAsync(response)).Require(302);
        Assert.Equal($"@{name.ToLowerInvariant().Replace(" ", "=20", StringComparison.Ordinal)}:test.example", (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
        (await begun.PostAsync(response)).Require(400);
    }

    [Fact]
    public async Task A_signed_response_is_as_good()
    {
        var begun = await BeginAsync();
        var document = sso.Saml.Unsigned(new(begun.RequestId) { Uid = sso.NewName() });
        sso.Saml.Sign(document.DocumentElement!);
        (await begun.PostAsync(FakeSamlIdp.Encode(document.OuterXml))).Require(302);
    }

    [Fact]
    public async Task Another_browser_does_not_finish_it()
    {
        var begun = await BeginAsync();
        var response = sso.Saml.Answer(new(begun.RequestId) { Uid = sso.NewName() });
        (await (begun with { Browser = sso.NewBrowser() }).PostAsync(response)).Require(400);
        (await (begun with { RelayState = "forged" }).PostAsync(response)).Require(400);
        (await begun.PostAsync(response)).Require(302);
    }

    [Fact]
    public async Task An_assertion_is_not_shown_twice_though_another_login_was_begun()
    {
        var first = await BeginAsync();
        var second = await BeginAsync();
        var id = "_assertion" + Guid.NewGuid().ToString("N");
        (await first.PostAsync(sso.Saml.Answer(new(first.RequestId) { Uid = sso.NewName(), AssertionId = id }))).Require(302);
        (await second.PostAsync(sso.Saml.Answer(new(second.RequestId) { Uid = sso.NewName(), AssertionId = id }))).Require(401);
    }

    [Fact]
    public async Task What_is_not_signed_or_signed_wrongly_is_refused()
    {
        using var other = RSA.Create(2048);
        await RefuseAsync(spoil: d => d.OuterXml);
        await RefuseAsync(spoil: d => { sso.Saml.Sign(FakeSamlIdp.AssertionOf(d), other); return d.OuterXml; });
        await RefuseAsync(spoil: d => { sso.Saml.Sign(FakeSamlIdp.AssertionOf(d)); return d.OuterXml.Replace(">staff<", ">admins<", StringComparison.Ordinal); });
        await RefuseAsync(spoil: d => { sso.Saml.Sign(FakeSamlIdp.AssertionOf(d), digest: SignedXml.XmlDsigSHA1Url); return d.OuterXml; });
        await RefuseAsync(spoil: d => { sso.Saml.Sign(FakeSamlIdp.AssertionOf(d), method: SignedXml.XmlDsigRSASHA1Url); return d.OuterXml; });
    }

    [Fact]
    public async Task An_assertion_for_another_time_place_or_request_is_refused()
    {
        await RefuseAsync(a => a with { ValidFor = TimeSpan.FromMinutes(-1) });
        await RefuseAsync(a => a with { ValidFrom = TimeSpan.FromMinutes(1) });
        await RefuseAsync(a => a with { SessionFor = TimeSpan.FromMinutes(-1) });
        await RefuseAsync(a => a with { Audience = "https://another.example/" });
        await RefuseAsync(a => a with { Recipient = "https://another.example/acs" });
        await RefuseAsync(a => a with { Issuer = "https://another.example/idp" });
        await RefuseAsync(a => a with { RequestId = "_another" });
        await RefuseAsync(a => a with { RequestId = null });
        await RefuseAsync(a => a with { Status = "urn:oasis:names:tc:SAML:2.0:status:Responder" });
        await RefuseAsync(a => a with { Group = "guests" }, status: 403);
    }

    /// <summary>The ways of "On Breaking SAML" (Somorovsky et al., 2012): the signed assertion goes somewhere else, an evil one takes its place.</summary>
    [Theory]
    [InlineData("evil before")]
    [InlineData("evil after")]
    [InlineData("in object of the signature")]
    [InlineData("in extensions")]
    [InlineData("inside the evil one")]
    [InlineData("same id")]
    [InlineData("whole response wrapped")]
    [InlineData("evil with a copied signature")]
    public async Task A_wrapped_signature_proves_nothing(string kind) => await RefuseAsync(spoil: document =>
    {
        sso.Saml.Sign(FakeSamlIdp.AssertionOf(document));
        var signed = FakeSamlIdp.AssertionOf(document);
        var root = document.DocumentElement!;
        var evil = (XmlElement)signed.CloneNode(true);
        if (kind != "evil with a copied signature") evil.RemoveChild(evil["Signature", SignedXml.XmlDsigNamespaceUrl]!);
        evil.SetAttribute("ID", kind == "same id" ? signed.GetAttribute("ID") : "_evil");
        foreach (var value in evil.GetElementsByTagName("AttributeValue", "urn:oasis:names:tc:SAML:2.0:assertion").OfType<XmlElement>().Take(1)) value.InnerText = "admin";
        switch (kind)
        {
            case "evil before":
            case "same id":
                root.InsertBefore(evil, signed);
                break;
            case "evil after":
            case "evil with a copied signature":
                root.InsertAfter(evil, signed);
                break;
            case "in object of the signature":
                var signature = (XmlElement)signed["Signature", SignedXml.XmlDsigNamespaceUrl]!;
                root.ReplaceChild(evil, signed);
                var moved = (XmlElement)signature.CloneNode(true);
                var holder = document.CreateElement("Object", SignedXml.XmlDsigNamespaceUrl);
                signed.RemoveChild(signed["Signature", SignedXml.XmlDsigNamespaceUrl]!);
                holder.AppendChild(signed);
                moved.AppendChild(holder);
                evil.InsertAfter(moved, evil["Issuer", "urn:oasis:names:tc:SAML:2.0:assertion"]);
                break;
            case "in extensions":
                var extensions = document.CreateElement("samlp", "Extensions", "urn:oasis:names:tc:SAML:2.0:protocol");
                root.ReplaceChild(evil, signed);
                extensions.AppendChild(signed);
                root.InsertBefore(extensions, evil);
                break;
            case "inside the evil one":
                root.ReplaceChild(evil, signed);
                evil.AppendChild(signed);
                break;
            case "whole response wrapped":
                var outer = (XmlElement)root.CloneNode(false);
                outer.SetAttribute("ID", "_outer");
                foreach (var child in root.ChildNodes.OfType<XmlElement>().Where(c => c.LocalName is "Issuer" or "Status")) outer.AppendChild(child.CloneNode(true));
                outer.AppendChild(evil);
                outer.AppendChild(root.CloneNode(true));
                return outer.OuterXml;
        }
        return document.OuterXml;
    });

    [Fact]
    public async Task Document_types_entities_and_oversize_are_refused()
    {
        await RefuseAsync(spoil: d => "<!DOCTYPE x [<!ENTITY a 'ha'>]>" + d.OuterXml);
        await RefuseAsync(spoil: d => "<!DOCTYPE x SYSTEM 'http://127.0.0.1:1/x.dtd'>" + d.OuterXml);
        await RefuseAsync(spoil: d => d.OuterXml.Replace("<samlp:Status>", "<!--" + new string('x', 300_000) + "--><samlp:Status>", StringComparison.Ordinal));
        await RefuseAsync(spoil: d => d.OuterXml.Replace("<samlp:Status>", string.Concat(Enumerable.Repeat("<a>", 100)) + string.Concat(Enumerable.Repeat("</a>", 100)) + "<samlp:Status>", StringComparison.Ordinal));
        await RefuseAsync(spoil: _ => "no XML");
        var begun = await BeginAsync();
        (await begun.PostAsync("!!!")).Require(401);
        (await begun.PostAsync(new string('A', 1_200_000))).Require(413);
    }

    [Fact]
    public async Task Where_there_are_no_keys_an_encrypted_assertion_is_refused()
    {
        using var key = RSA.Create(2048);
        await RefuseAsync(spoil: d =>
        {
            new SamlEncryption(key).Replace(FakeSamlIdp.AssertionOf(d));
            sso.Saml.Sign(d.DocumentElement!);
            return d.OuterXml;
        });
    }

    [Fact]
    public async Task A_comment_does_not_cut_a_name_short()
    {
        var begun = await BeginAsync();
        var name = sso.NewName("whole");
        var document = sso.Saml.Unsigned(new(begun.RequestId) { Uid = name + ".evil" });
        sso.Saml.Sign(FakeSamlIdp.AssertionOf(document));
        // The canonical form has no comments: the signature stays good.
        var xml = document.OuterXml.Replace(name + ".evil", name + "<!---->.evil", StringComparison.Ordinal);
        var back = (await begun.PostAsync(FakeSamlIdp.Encode(xml))).Require(302);
        Assert.Equal($"@{name}.evil:test.example", (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
    }

    [Fact]
    public async Task Our_metadata_say_where_responses_go()
    {
        var metadata = (await sso.NewBrowser().GetAsync("/_synapse/client/saml2/metadata.xml")).Require(200);
        var document = new XmlDocument();
        document.LoadXml(metadata.Body);
        Assert.Contains(SsoFixture.PublicBase + "_synapse/client/saml2/authn_response", document.OuterXml);
        (await sso.NewBrowser().GetAsync(SamlVisit.Consumer)).Require(400);
    }
}

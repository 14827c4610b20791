using System.Xml;

namespace Matrix.ServiceTests.Sso;

/// <summary>Single attributes that are encrypted, in assertions that are signed.</summary>
public sealed class SamlEncryptedAttributeTests(SamlKeysFixture sso) : IClassFixture<SamlKeysFixture>
{
    private const string Ns = "urn:oasis:names:tc:SAML:2.0:assertion";

    private SamlEncryption Method => new(sso.Current.Open());

    private static List<XmlElement> AttributesOf(XmlDocument document) => [.. document.GetElementsByTagName("Attribute", Ns).OfType<XmlElement>()];

    private async Task<Visit> AnswerAsync(string name, Action<XmlDocument> change)
    {
        var begun = await SamlVisit.BeginAsync(sso);
        var document = sso.Saml.Unsigned(new SamlAnswer(begun.RequestId) { Uid = name });
        change(document);
        return await begun.PostAsync(document);
    }

    private async Task AcceptAsync(Action<XmlDocument> change)
    {
        var name = sso.NewName("veiled");
        var back = (await AnswerAsync(name, change)).Require(302);
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
    }

    private async Task RefuseAsync(Action<XmlDocument> change) =>
        Assert.DoesNotContain("loginToken", (await AnswerAsync(sso.NewName("veiled"), change)).Require(401).Body);

    private void EncryptAll(XmlDocument document, SamlEncryption method)
    {
        foreach (var attribute in AttributesOf(document)) method.Replace(attribute, "EncryptedAttribute");
    }

    [Theory]
    [InlineData("aes256-gcm", false)]
    [InlineData("aes128-gcm", true)]
    [InlineData("aes128-cbc", false)]
    public async Task They_are_read_where_the_assertion_or_the_response_is_signed(string content, bool beside)
    {
        var method = Method with { Content = content, Beside = beside };
        await AcceptAsync(d =>
        {
            EncryptAll(d, method);
            sso.Saml.Sign(FakeSamlIdp.AssertionOf(d));
        });
        await AcceptAsync(d =>
        {
            EncryptAll(d, method);
            sso.Saml.Sign(d.DocumentElement!);
        });
    }

    [Fact]
    public async Task The_assertion_may_be_encrypted_as_well() => await AcceptAsync(d =>
    {
        EncryptAll(d, Method);
        sso.Saml.Sign(FakeSamlIdp.AssertionOf(d));
        Method.Replace(FakeSamlIdp.AssertionOf(d));
    });

    [Fact]
    public async Task One_that_nobody_has_signed_proves_nothing()
    {
        await RefuseAsync(d => EncryptAll(d, Method));
        await RefuseAsync(d =>
        {
            sso.Saml.Sign(FakeSamlIdp.AssertionOf(d));
            EncryptAll(d, Method with { Content = "aes128-cbc" });
        });
    }

    [Fact]
    public async Task What_cannot_be_read_is_refused()
    {
        async Task RefuseMethodAsync(SamlEncryption method) => await RefuseAsync(d =>
        {
            method.Replace(AttributesOf(d)[^1], "EncryptedAttribute");
            sso.Saml.Sign(FakeSamlIdp.AssertionOf(d));
        });
        await RefuseMethodAsync(Method with { Transport = "rsa-1_5" });
        using var other = System.Security.Cryptography.RSA.Create(2048);
        await RefuseMethodAsync(new(other));
        await RefuseMethodAsync(Method with { ChangeText = _ => $"<saml:NameID xmlns:saml='{Ns}'>admin</saml:NameID>" });
    }

    [Fact]
    public async Task There_may_be_fifty_and_no_more()
    {
        void Encrypt(XmlDocument document, int count)
        {
            var last = AttributesOf(document)[^1];
            for (var i = 1; i < count; i++) Method.Replace((XmlElement)last.ParentNode!.AppendChild(last.CloneNode(true))!, "EncryptedAttribute");
            Method.Replace(last, "EncryptedAttribute");
            sso.Saml.Sign(FakeSamlIdp.AssertionOf(document));
        }
        await AcceptAsync(d => Encrypt(d, 50));
        await RefuseAsync(d => Encrypt(d, 51));
    }
}

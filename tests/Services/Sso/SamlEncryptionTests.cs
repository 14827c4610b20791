using System.Security.Cryptography;
using System.Xml;
using Matrix.ClientApi.Sso;
using Matrix.ClientApi.Sso.Saml;

namespace Matrix.ServiceTests.Sso;

/// <summary>Encrypted assertions. Each test signs first and encrypts then, as identity providers do, unless it says otherwise.</summary>
public sealed class SamlEncryptionTests(SamlKeysFixture sso) : IClassFixture<SamlKeysFixture>
{
    private const string Ns = "urn:oasis:names:tc:SAML:2.0:assertion";

    private SamlEncryption Method => new(sso.Current.Open());

    /// <summary>Begins a login, lets <paramref name="change"/> make the response of a clear and unsigned one, and posts it.</summary>
    private async Task<Visit> AnswerAsync(string name, Action<XmlDocument> change, Func<SamlAnswer, SamlAnswer>? adjust = null)
    {
        var begun = await SamlVisit.BeginAsync(sso);
        var answer = new SamlAnswer(begun.RequestId) { Uid = name };
        var document = sso.Saml.Unsigned(adjust?.Invoke(answer) ?? answer);
        change(document);
        return await begun.PostAsync(document);
    }

    private void SignAndEncrypt(XmlDocument document, SamlEncryption method)
    {
        sso.Saml.Sign(FakeSamlIdp.AssertionOf(document));
        method.Replace(FakeSamlIdp.AssertionOf(document));
    }

    private void EncryptAndSign(XmlDocument document, SamlEncryption method)
    {
        method.Replace(FakeSamlIdp.AssertionOf(document));
        sso.Saml.Sign(document.DocumentElement!);
    }

    private async Task AcceptAsync(Action<XmlDocument> change)
    {
        var name = sso.NewName("sealed");
        var back = (await AnswerAsync(name, change)).Require(302);
        Assert.Equal($"@{name}:test.example", (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
    }

    private async Task RefuseAsync(Action<XmlDocument> change, Func<SamlAnswer, SamlAnswer>? adjust = null) =>
        Assert.DoesNotContain("loginToken", (await AnswerAsync(sso.NewName("victim"), change, adjust)).Require(401).Body);

    [Theory]
    [InlineData("aes128-gcm", "rsa-oaep-mgf1p", null, null, false)]
    [InlineData("aes192-gcm", "rsa-oaep-mgf1p", "sha1", null, true)]
    [InlineData("aes256-gcm", "rsa-oaep-mgf1p", "sha256", null, false)]
    [InlineData("aes256-gcm", "rsa-oaep", null, null, true)]
    [InlineData("aes256-gcm", "rsa-oaep", "sha256", null, false)]
    [InlineData("aes128-gcm", "rsa-oaep", "sha256", "mgf1sha256", true)]
    [InlineData("aes256-gcm", "rsa-oaep", "sha512", "mgf1sha1", false)]
    [InlineData("aes256-gcm", "rsa-oaep", "sha512", "mgf1sha512", false)]
    public async Task A_signed_assertion_may_be_encrypted(string content, string transport, string? digest, string? mask, bool beside) =>
        await AcceptAsync(d => SignAndEncrypt(d, Method with { Content = content, Transport = transport, Digest = digest, Mask = mask, Beside = beside }));

    [Theory]
    [InlineData("aes128-cbc")]
    [InlineData("aes192-cbc")]
    [InlineData("aes256-cbc")]
    public async Task The_cbc_modes_are_good_in_a_signed_response_only(string content)
    {
        var method = Method with { Content = content };
        await AcceptAsync(d => EncryptAndSign(d, method));
        // Signed inside and out: the signature around the bytes counts.
        await AcceptAsync(d =>
        {
            SignAndEncrypt(d, method);
            sso.Saml.Sign(d.DocumentElement!);
        });
        await RefuseAsync(d => SignAndEncrypt(d, method));
        // The signature is of other bytes.
        using var other = RSA.Create(2048);
        await RefuseAsync(d =>
        {
            SignAndEncrypt(d, method);
            sso.Saml.Sign(d.DocumentElement!, other);
        });
        await RefuseAsync(d =>
        {
            EncryptAndSign(d, method);
            var value = (XmlElement)d.GetElementsByTagName("CipherValue", SamlEncryption.Enc)[^1]!;
            value.InnerText = (value.InnerText[0] == 'A' ? 'B' : 'A') + value.InnerText[1..];
        });
    }

    [Fact]
    public async Task Any_of_our_keys_decrypts_and_no_other()
    {
        await AcceptAsync(d => SignAndEncrypt(d, new(sso.Old.Open())));
        using var other = RSA.Create(2048);
        await RefuseAsync(d => SignAndEncrypt(d, new(other)));
    }

    [Fact]
    public async Task Keys_encrypted_with_rsa_1_5_are_always_refused()
    {
        await RefuseAsync(d => SignAndEncrypt(d, Method with { Transport = "rsa-1_5" }));
        await RefuseAsync(d => EncryptAndSign(d, Method with { Transport = "rsa-1_5" }));
    }

    [Fact]
    public async Task An_encrypted_assertion_proves_nothing_by_itself()
    {
        await RefuseAsync(d => Method.Replace(FakeSamlIdp.AssertionOf(d)));
        using var other = RSA.Create(2048);
        await RefuseAsync(d =>
        {
            sso.Saml.Sign(FakeSamlIdp.AssertionOf(d), other);
            Method.Replace(FakeSamlIdp.AssertionOf(d));
        });
        await RefuseAsync(d => SignAndEncrypt(d, Method with { ChangeText = t => t.Replace(">staff<", ">admins<", StringComparison.Ordinal) }));
    }

    [Fact]
    public async Task What_comes_out_is_checked_like_what_was_never_encrypted()
    {
        await RefuseAsync(d => SignAndEncrypt(d, Method), a => a with { ValidFor = TimeSpan.FromMinutes(-1) });
        await RefuseAsync(d => EncryptAndSign(d, Method), a => a with { Audience = "https://another.example/" });
        await RefuseAsync(d => SignAndEncrypt(d, Method), a => a with { Recipient = "https://another.example/acs" });
        await RefuseAsync(d => EncryptAndSign(d, Method), a => a with { Issuer = "https://another.example/idp" });
        await RefuseAsync(d => SignAndEncrypt(d, Method), a => a with { RequestId = "_another" });
        var id = "_assertion" + Guid.NewGuid().ToString("N");
        (await AnswerAsync(sso.NewName(), d => SignAndEncrypt(d, Method), a => a with { AssertionId = id })).Require(302);
        (await AnswerAsync(sso.NewName(), d => SignAndEncrypt(d, Method), a => a with { AssertionId = id })).Require(401);
    }

    [Theory]
    [InlineData("evil before")]
    [InlineData("evil after")]
    [InlineData("two encrypted")]
    [InlineData("evil clear beside an encrypted one")]
    [InlineData("in the advice of the signed one")]
    [InlineData("the signed one in extensions")]
    [InlineData("the signed one in the advice of the evil")]
    [InlineData("the signed one in the object of its signature")]
    [InlineData("encrypted twice")]
    [InlineData("an id twice")]
    public async Task A_wrapped_signature_proves_nothing_when_something_is_encrypted(string kind) => await RefuseAsync(document =>
    {
        var root = document.DocumentElement!;
        var signed = FakeSamlIdp.AssertionOf(document);
        var evil = (XmlElement)signed.CloneNode(true);
        evil.SetAttribute("ID", "_evil");
        evil.GetElementsByTagName("AttributeValue", Ns).OfType<XmlElement>().First().InnerText = "admin";
        sso.Saml.Sign(signed);
        switch (kind)
        {
            case "evil before":
                root.InsertBefore(evil, signed);
                Method.Replace(evil);
                break;
            case "evil after":
                root.InsertAfter(evil, signed);
                Method.Replace(evil);
                break;
            case "two encrypted":
                root.InsertBefore(evil, signed);
                Method.Replace(evil);
                Method.Replace(signed);
                break;
            case "evil clear beside an encrypted one":
                root.InsertBefore(evil, signed);
                Method.Replace(signed);
                break;
            case "in the advice of the signed one":
                var inside = document.CreateElement("saml", "Advice", Ns);
                signed.AppendChild(inside);
                inside.AppendChild(evil);
                Method.Replace(evil);
                break;
            case "the signed one in extensions":
                var extensions = document.CreateElement("samlp", "Extensions", "urn:oasis:names:tc:SAML:2.0:protocol");
                root.ReplaceChild(evil, signed);
                extensions.AppendChild(signed);
                root.InsertBefore(extensions, evil);
                Method.Replace(evil);
                break;
            case "the signed one in the advice of the evil":
                var advice = document.CreateElement("saml", "Advice", Ns);
                root.ReplaceChild(evil, signed);
                advice.AppendChild(signed);
                evil.AppendChild(advice);
                Method.Replace(evil);
                break;
            case "the signed one in the object of its signature":
                var signature = (XmlElement)signed.RemoveChild(signed["Signature", SamlXml.Signature]!);
                var holder = document.CreateElement("Object", SamlXml.Signature);
                root.ReplaceChild(evil, signed);
                signature.AppendChild(holder)!.AppendChild(signed);
                evil.InsertAfter(signature, evil["Issuer", Ns]);
                Method.Replace(evil);
                break;
            case "encrypted twice":
                Method.Replace(signed);
                Method.Replace(root["EncryptedAssertion", Ns]!);
                break;
            case "an id twice":
                // It shows when the other one has been decrypted.
                Method.Replace(signed);
                root.SetAttribute("ID", signed.GetAttribute("ID"));
                break;
        }
    });

    [Fact]
    public async Task Document_types_and_oversize_are_refused_when_encrypted()
    {
        await RefuseAsync(d => SignAndEncrypt(d, Method with { ChangeText = t => "<!DOCTYPE x [<!ENTITY a 'ha'>]>" + t }));
        await RefuseAsync(d => SignAndEncrypt(d, Method with { ChangeText = t => "<!DOCTYPE x SYSTEM 'http://127.0.0.1:1/x.dtd'>" + t }));
        await RefuseAsync(d => SignAndEncrypt(d, Method with { ChangeText = t => t + "<!--" + new string('x', 300_000) + "-->" }));
        await RefuseAsync(d => SignAndEncrypt(d, Method with { ChangeText = t => string.Concat(Enumerable.Repeat("<a>", 100)) + t + string.Concat(Enumerable.Repeat("</a>", 100)) }));
    }

    [Fact]
    public async Task Prefixes_mean_what_they_mean_around_the_encrypted_assertion() =>
        await AcceptAsync(d => SignAndEncrypt(d, Method with { ChangeText = t => t.Replace($" xmlns:saml=\"{Ns}\"", "", StringComparison.Ordinal) }));

    [Theory]
    [InlineData("aes256-gcm")]
    [InlineData("aes128-cbc")]
    public async Task The_name_of_the_subject_may_be_encrypted(string content)
    {
        var name = sso.NewName("hidden");
        // Without the attribute the name decides who it is.
        var back = (await AnswerAsync(name, d =>
        {
            var assertion = FakeSamlIdp.AssertionOf(d);
            (Method with { Content = content }).Replace(assertion["Subject", Ns]!["NameID", Ns]!, "EncryptedID");
            sso.Saml.Sign(assertion);
        }, a => a with { UidAttribute = "login" })).Require(302);
        Assert.EndsWith("/pick_username/account_details", back.Location);
        Assert.Equal(1L, await sso.Postgres.Source.CreateCommand($"select count(*) from pending_steps where purpose = 'registration' and convert_from(data, 'UTF8') like '%\"{name}\"%'").ExecuteScalarAsync());
    }

    [Fact]
    public void Whatever_cannot_be_decrypted_is_one_fault_with_one_message()
    {
        using var other = RSA.Create(2048);
        static byte[] Flip(byte[] bytes, int at) => [.. bytes.Select((b, i) => i == at ? (byte)(b ^ 1) : b)];
        SamlEncryption[] spoilt =
        [
            new(other),
            Method with { ChangeKey = k => Flip(k, 20) }, Method with { ChangeKey = k => k[1..] }, Method with { ChangeKey = _ => [] }, Method with { Digest = "sha256", ChangeKey = k => k[1..] },
            Method with { ChangeData = d => Flip(d, 3) }, Method with { ChangeData = d => Flip(d, 40) }, Method with { ChangeData = d => Flip(d, d.Length - 1) }, Method with { ChangeData = d => d[..20] },
            Method with { ChangeText = _ => "no XML" }, Method with { ChangeText = _ => "<!DOCTYPE x []><x/>" }, Method with { ChangeText = _ => $"<x:Response xmlns:x=\"{SamlXml.Protocol}\"/>" },
            Method with { ChangeText = t => t + t }, Method with { ChangeText = _ => "<saml:Assertion xmlns:saml='http://other'/>" },
            Method with { Content = "aes128-cbc", ChangeData = d => d[..^5] }, Method with { Content = "aes128-cbc", ChangeData = d => Flip(d, d.Length - 20) }, Method with { Content = "aes256-cbc", ChangeKey = k => Flip(k, 0) },
        ];
        var messages = spoilt.Select(method =>
        {
            var holder = method.Replace(FakeSamlIdp.AssertionOf(sso.Saml.Unsigned(new("_r"))));
            return Assert.Throws<ProviderException>(() => new SamlDecryption([sso.Current, sso.Old]).Replace(holder, "Assertion", isProved: true)).Message;
        });
        Assert.Equal(["EncryptedAssertion cannot be decrypted"], messages.Distinct());
    }

    [Fact]
    public async Task Our_metadata_tell_with_which_keys_and_how_to_encrypt()
    {
        var document = new XmlDocument();
        document.LoadXml((await sso.NewBrowser().GetAsync("/_synapse/client/saml2/metadata.xml")).Require(200).Body);
        var keys = document.GetElementsByTagName("KeyDescriptor", SamlXml.Metadata).OfType<XmlElement>().ToList();
        Assert.Equal([("signing", sso.Signing), ("encryption", sso.Current), ("encryption", sso.Old)],
            keys.Select(k => (k.GetAttribute("use"), new[] { sso.Signing, sso.Current, sso.Old }.Single(c => Convert.ToBase64String(c.Certificate.RawData) == k.GetElementsByTagName("X509Certificate", SamlXml.Signature)[0]!.InnerText))));
        var methods = keys[1].GetElementsByTagName("EncryptionMethod", SamlXml.Metadata).OfType<XmlElement>().Select(m => m.GetAttribute("Algorithm")).ToList();
        Assert.Contains("http://www.w3.org/2009/xmlenc11#aes256-gcm", methods);
        Assert.DoesNotContain(methods, m => m.Contains("cbc", StringComparison.Ordinal) || m.Contains("rsa-1_5", StringComparison.Ordinal));
        Assert.Empty(keys[0].GetElementsByTagName("EncryptionMethod", SamlXml.Metadata));
        Assert.Equal("true", document.GetElementsByTagName("SPSSODescriptor", SamlXml.Metadata).OfType<XmlElement>().Single().GetAttribute("AuthnRequestsSigned"));
    }
}

using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationClient.Signing;
using Matrix.Primitives;

namespace Matrix.ServiceTests.Federation;

public class XMatrixTests
{
    [Theory]
    [InlineData("X-Matrix origin=\"o.example\",destination=\"d.example\",key=\"ed25519:1\",sig=\"abc\"", "o.example", "d.example", "ed25519:1", "abc")]
    [InlineData("X-Matrix origin=o.example,key=ed25519:1,sig=abc", "o.example", null, "ed25519:1", "abc")]
    [InlineData("x-matrix   ORIGIN=o.example:8448 \t, Key=\"ed25519:1\"\t,\tsig=\"a+/b\",new=\"x,y\"", "o.example:8448", null, "ed25519:1", "a+/b")]
    [InlineData("X-Matrix origin=\"o\\.exa\\\\mple\",key=\"ed25519:1\",sig=\"a\\\"b\"", "o.exa\\mple", null, "ed25519:1", "a\"b")]
    [InlineData("X-Matrix ,,sig=abc,,key=k,origin=o,", "o", null, "k", "abc")]
    public void A_header_is_read_as_the_rfc_writes_it(string header, string origin, string? destination, string key, string sig) =>
        Assert.Equal(new XMatrixAuthorization(origin, destination, key, sig), XMatrixAuthorization.Parse(header));

    [Theory]
    [InlineData("Bearer abc")]
    [InlineData("X-Matrix")]
    [InlineData("X-Matrixorigin=o,key=k,sig=s")]
    [InlineData("X-Matrix origin=\"o,key=k,sig=s")]
    [InlineData("X-Matrix origin=o\\")]
    [InlineData("X-Matrix origin=\"o\\")]
    [InlineData("X-Matrix origin=o,key=k")]
    [InlineData("X-Matrix origin=o key=k,sig=s")]
    [InlineData("X-Matrix =o,key=k,sig=s")]
    [InlineData("X-Matrix origin=,key=k,sig=s")]
    public void What_is_no_such_header_is_none(string header) => Assert.Null(XMatrixAuthorization.Parse(header));

    [Fact]
    public void What_is_written_is_read()
    {
        var authorization = new XMatrixAuthorization("o.example", "d.example", "ed25519:a_1", "c2ln");
        Assert.Equal(authorization, XMatrixAuthorization.Parse(authorization.ToString()));
        Assert.Equal(authorization with { Destination = null }, XMatrixAuthorization.Parse((authorization with { Destination = null }).ToString()));
    }

    [Fact]
    public void Requests_are_signed_as_other_servers_sign_them()
    {
        using var file = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "Federation", "x-matrix-request-signing.json")));
        var root = file.RootElement;
        Assert.True(UnpaddedBase64.TryDecode(root.GetProperty("signing_key_seed_unpadded_base64").GetString()!, out var seed));
        var publicKey = Ed25519.Default.PublicKey(seed);
        foreach (var request in root.GetProperty("requests").EnumerateArray())
        {
            string Text(string name) => request.GetProperty(name).GetString()!;
            var content = request.GetProperty("content");
            ReadOnlyMemory<byte>? body = content.ValueKind == JsonValueKind.Null ? (ReadOnlyMemory<byte>?)null : Encoding.UTF8.GetBytes(content.GetRawText());
            var identity = new ServerIdentity(Text("origin"), new SigningKey(Text("key_id"), seed, publicKey), Ed25519.Default);
            var signed = XMatrix.Sign(identity, Text("destination"), Text("method"), Text("uri"), body);
            Assert.Equal(Text("signature"), signed.Signature);
            Assert.True(XMatrix.Verify(signed, Text("method"), Text("uri"), (body ?? default).Span, publicKey, Ed25519.Default));
            Assert.False(XMatrix.Verify(signed, Text("method"), Text("uri") + "x", (body ?? default).Span, publicKey, Ed25519.Default));
            Assert.False(XMatrix.Verify(signed, "POST", Text("uri"), (body ?? default).Span, publicKey, Ed25519.Default));
            Assert.False(XMatrix.Verify(signed with { Destination = "x" }, Text("method"), Text("uri"), (body ?? default).Span, publicKey, Ed25519.Default));
            Assert.False(XMatrix.Verify(signed, Text("method"), Text("uri"), "{\"a\":1}"u8, publicKey, Ed25519.Default));
        }
    }
}

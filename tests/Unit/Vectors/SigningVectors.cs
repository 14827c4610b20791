using System.Text;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Unit.Vectors;

public class SigningVectors
{
    public static TheoryData<IEd25519> Implementations => [new LibcryptoEd25519(), new BouncyCastleEd25519()];

    private static SigningKey Key(System.Text.Json.JsonElement root, IEd25519 ed25519, string keyId)
    {
        var seed = root.GetProperty("signing_key_seed_unpadded_base64").Base64();
        var publicKey = ed25519.PublicKey(seed);
        Assert.Equal(root.GetProperty("public_key_unpadded_base64 (computed)").GetString(), UnpaddedBase64.Encode(publicKey));
        return new SigningKey(keyId, seed, publicKey);
    }

    [Theory, MemberData(nameof(Implementations))]
    public void Rfc_8032_vectors_hold(IEd25519 ed25519)
    {
        var cases = Vector.Load("ed25519-rfc8032.json").GetProperty("cases").EnumerateArray().ToArray();
        Assert.Equal(4, cases.Length);
        foreach (var c in cases)
        {
            byte[] Hex(string name) => Convert.FromHexString(c.GetProperty(name).GetString()!);
            Assert.Equal(Hex("public"), ed25519.PublicKey(Hex("seed")));
            Assert.Equal(Hex("signature"), ed25519.Sign(Hex("seed"), Hex("message")));
            Assert.True(ed25519.Verify(Hex("public"), Hex("message"), Hex("signature")));
            var broken = Hex("signature");
            broken[40] ^= 1;
            Assert.False(ed25519.Verify(Hex("public"), Hex("message"), broken));
        }
    }

    [Theory, MemberData(nameof(Implementations))]
    public void Json_is_signed_as_in_the_appendix(IEd25519 ed25519)
    {
        var root = Vector.Load("json-signing.json");
        var key = Key(root, ed25519, root.GetProperty("key_id").GetString()!);
        foreach (var c in root.GetProperty("cases").EnumerateArray())
        {
            var signed = EventSigning.SignJson(c.GetProperty("input").Bytes(), root.GetProperty("server_name").GetString()!, key, ed25519);
            Assert.Equal(c.GetProperty("signed").Canonical(), Encoding.UTF8.GetString(signed));
        }
    }

    [Theory, MemberData(nameof(Implementations))]
    public void Signatures_of_json_are_told_apart(IEd25519 ed25519)
    {
        var root = Vector.Load("json-signature-verify.json");
        var key = Key(root, ed25519, root.GetProperty("key_id").GetString()!);
        bool Verify(System.Text.Json.JsonElement json) => EventSigning.VerifyJson(json.Bytes(), "domain", "ed25519:1", key.PublicKey, ed25519);
        foreach (var valid in root.GetProperty("valid").EnumerateArray()) Assert.True(Verify(valid));
        foreach (var invalid in root.GetProperty("invalid").EnumerateArray())
        {
            var reason = invalid.GetProperty("reason").GetString();
            Assert.Equal(reason == KnownDeviations.PaddedSignatureReason, Verify(invalid.GetProperty("object")));
        }
    }

    [Theory, MemberData(nameof(Implementations))]
    public void Events_are_hashed_and_signed_as_in_the_appendix(IEd25519 ed25519)
    {
        var root = Vector.Load("event-signing.json");
        var key = Key(root, ed25519, root.GetProperty("key_id").GetString()!);
        var cases = root.GetProperty("sign").EnumerateArray().ToArray();
        Assert.Equal(4, cases.Length);
        foreach (var c in cases)
        {
            var input = c.GetProperty("input").Bytes();
            var signed = EventSigning.SignEvent(WithHash(input), c.Version(), "domain", key, ed25519);
            Assert.Equal(c.GetProperty("signed").Canonical(), Encoding.UTF8.GetString(signed));
            Assert.True(EventHashes.ContentHashMatches(signed));
        }
    }

    [Theory, MemberData(nameof(Implementations))]
    public void Signatures_of_events_are_told_apart(IEd25519 ed25519)
    {
        var root = Vector.Load("event-signing.json");
        var key = Key(root, ed25519, root.GetProperty("key_id").GetString()!);
        foreach (var e in root.GetProperty("verify_signature_ok").EnumerateArray())
            Assert.True(EventSigning.VerifyEvent(e.Bytes(), RoomVersions.V1, "domain", "ed25519:1", key.PublicKey, ed25519));
        foreach (var c in root.GetProperty("verify_signature_not_ok").EnumerateArray())
            Assert.False(EventSigning.VerifyEvent(c.GetProperty("event").Bytes(), RoomVersions.V1, "domain", "ed25519:1", key.PublicKey, ed25519));
    }

    [Fact]
    public void Federation_requests_are_signed_as_in_the_shared_cases()
    {
        var root = Vector.Load("x-matrix-request-signing.json");
        var ed25519 = Ed25519.Default;
        foreach (var c in root.GetProperty("requests").EnumerateArray())
        {
            var key = Key(root, ed25519, c.GetProperty("key_id").GetString()!);
            var content = c.GetProperty("content");
            string Text(string name) => $"\"{name}\":{c.GetProperty(name).GetRawText()}";
            var json = content.ValueKind == System.Text.Json.JsonValueKind.Null ? "{" : $$"""{"content":{{content.GetRawText()}},""";
            json += $"{Text("uri")},{Text("method")},{Text("origin")},{Text("destination")}}}";
            var bytes = Encoding.UTF8.GetBytes(json);
            Assert.Equal(c.GetProperty("json_to_sign_canonical").GetString(), Encoding.UTF8.GetString(CanonicalJson.Of(bytes)));
            var signed = EventSigning.SignJson(bytes, c.GetProperty("origin").GetString()!, key, ed25519);
            Assert.Contains(c.GetProperty("signature").GetString()!, Encoding.UTF8.GetString(signed), StringComparison.Ordinal);
        }
    }

    /// <summary>The event with its content hash, which is added before it is signed.</summary>
    private static byte[] WithHash(byte[] input)
    {
        var hash = UnpaddedBase64.Encode(EventHashes.ContentHash(input));
        var text = new StringBuilder("{");
        foreach (var member in new CanonicalObject(CanonicalJson.Of(input)))
        {
            if (!member.Name.SequenceEqual("hashes"u8)) text.Append(Encoding.UTF8.GetString(member.Text)).Append(',');
        }
        return Encoding.UTF8.GetBytes(text.Append($"\"hashes\":{{\"sha256\":\"{hash}\"}}}}").ToString());
    }
}

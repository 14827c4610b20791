using System.Security.Cryptography;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.ServiceTests.ClientApi;

namespace Matrix.ServiceTests.Keys;

/// <summary>A key that signs, as a client has it.</summary>
internal sealed class Signer
{
    private readonly byte[] seed = RandomNumberGenerator.GetBytes(32);

    public Signer() => Public = UnpaddedBase64.Encode(Ed25519.Default.PublicKey(seed));

    /// <summary>Unpadded base64.</summary>
    public string Public { get; }
    public string KeyId => "ed25519:" + Public;

    /// <summary>The object with a signature of this key; under another id where it is a device's.</summary>
    public JsonElement Sign(object o, string userId, string? keyId = null)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(o);
        var signed = EventSigning.SignJson(json, userId, new SigningKey(keyId ?? KeyId, seed, []), Ed25519.Default);
        return JsonDocument.Parse(signed).RootElement.Clone();
    }

    /// <summary>This key as a cross-signing key of the user.</summary>
    public Dictionary<string, object> As(string usage, string userId) => new()
    {
        ["user_id"] = userId, ["usage"] = new[] { usage }, ["keys"] = new Dictionary<string, string> { [KeyId] = Public },
    };

    /// <summary>Keys of the user's device, signed by this key as the device's.</summary>
    public JsonElement DeviceKeys(TestUser user) => Sign(new Dictionary<string, object>
    {
        ["user_id"] = user.Id, ["device_id"] = user.DeviceId, ["algorithms"] = new[] { "m.olm.v1.curve25519-aes-sha2" },
        ["keys"] = new Dictionary<string, string> { ["ed25519:" + user.DeviceId] = Public, ["curve25519:" + user.DeviceId] = "c" },
    }, user.Id, "ed25519:" + user.DeviceId);
}

/// <summary>The three keys of a user.</summary>
internal sealed class CrossSigningSet(TestUser user)
{
    public TestUser User { get; } = user;
    public Signer Master { get; } = new();
    public Signer SelfSigning { get; } = new();
    public Signer UserSigning { get; } = new();

    public object Upload(object? auth = null)
    {
        var body = new Dictionary<string, object>
        {
            ["master_key"] = Master.As("master", User.Id),
            ["self_signing_key"] = Master.Sign(SelfSigning.As("self_signing", User.Id), User.Id),
            ["user_signing_key"] = Master.Sign(UserSigning.As("user_signing", User.Id), User.Id),
        };
        if (auth is not null) body["auth"] = auth;
        return body;
    }
}

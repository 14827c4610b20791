using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationClient.DeviceKeys;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Keys;
using Matrix.Storage.Streams;
using Matrix.Web.Keys;

namespace Matrix.ClientApi.CrossSigning;

internal readonly record struct SignatureFailure(string UserId, string KeyId, MatrixError Error);

/// <summary>
/// Signatures on keys that are there: of own devices by the self-signing key, of the own master key by own devices, of others' master keys by the
/// user-signing key. Each is verified, over exactly the key that is stored. Spec: openapi/client-server/cross_signing.yaml
/// </summary>
internal sealed class SignatureUpload(
    DeviceKeyStore keys, CrossSigningStore store, IRemoteKeys remote, IStreamPublisher publisher, ServerIdentity server)
{
    private static readonly MatrixError Invalid = MatrixError.Custom(400, "M_INVALID_SIGNATURE", "Invalid signature");
    private static readonly MatrixError OtherKey = MatrixError.InvalidParam("The key is not the one that is known under this name.");
    private static readonly MatrixError NoKey = MatrixError.NotFound("No such key");

    private sealed record Item(string UserId, string KeyId, byte[] Json);

    private sealed class Known
    {
        public required string UserId { get; init; }
        public Dictionary<string, byte[]> OwnDevices { get; } = new(StringComparer.Ordinal);
        public Dictionary<string, (string PublicKey, byte[] Json)> Masters { get; } = new(StringComparer.Ordinal);
        public string? SelfSigning { get; set; }
        public string? UserSigning { get; set; }
        public List<NewDeviceSignature> Devices { get; } = [];
        public List<NewMasterSignature> MasterSignatures { get; } = [];
    }

    public async Task<List<SignatureFailure>> UploadAsync(string userId, JsonElement request, CancellationToken ct)
    {
        var items = Read(request);
        var known = await LoadAsync(userId, items, ct);
        var failures = new List<SignatureFailure>();
        foreach (var item in items)
            if (Check(item, known) is { } error) failures.Add(new(item.UserId, item.KeyId, error));
        if (known.Devices.Count + known.MasterSignatures.Count > 0)
            await publisher.PublishAllAsync(await store.SignAsync(userId, known.Devices, known.MasterSignatures, ct));
        return failures;
    }

    private static List<Item> Read(JsonElement request)
    {
        var items = new Dictionary<(string, string), Item>();
        foreach (var user in request.EnumerateObject())
        {
            if (user.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("Users must map to keys").AsException();
            foreach (var key in user.Value.EnumerateObject())
            {
                if (items.Count == KeyLimits.SignaturesAtOnce) throw MatrixError.InvalidParam("Too many signatures at once.").AsException();
                if (key.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("A key must be an object").AsException();
                KeyJson.RequireSignatures(key.Value.Object("signatures"));
                var (userId, keyId) = (KeyJson.Id(user.Name, "user id"), KeyJson.Id(key.Name, "key id"));
                items[(userId, keyId)] = new Item(userId, keyId, KeyJson.Canonical(key.Value, KeyLimits.DeviceKeys, "key"));
            }
        }
        return [.. items.Values];
    }

    private async Task<Known> LoadAsync(string userId, List<Item> items, CancellationToken ct)
    {
        var others = items.Select(i => i.UserId).Where(u => u != userId).Distinct(StringComparer.Ordinal).ToList();
        var elsewhere = others.Where(u => !server.IsMine(u) && UserId.TryParse(u, null, out var _)).ToDictionary(u => u, _ => (IReadOnlyList<string>)[]);
        // Of others nothing but the master keys is needed: no device has an empty id.
        var wishes = others.Where(server.IsMine).Select(u => new DeviceWish(u, "")).Append(new DeviceWish(userId, null)).ToList();
        var stored = await keys.QueryAsync(wishes, [], userId, ct);
        var known = new Known { UserId = userId };
        foreach (var device in stored.Devices) known.OwnDevices[device.DeviceId] = device.Keys;
        foreach (var key in stored.CrossSigning)
        {
            if (key.Usage == "master") known.Masters[key.UserId] = (key.PublicKey, key.Keys);
            else if (key.UserId != userId) continue;
            else if (key.Usage == "self_signing") known.SelfSigning = key.PublicKey;
            else known.UserSigning = key.PublicKey;
        }
        if (elsewhere.Count == 0) return known;
        foreach (var (user, json) in (await remote.QueryAsync(elsewhere, KeyLimits.DefaultTimeout, ct)).MasterKeys)
            if (CrossSigningKey.PublicKeyOf(json) is { } publicKey) known.Masters[user] = (publicKey, json);
        return known;
    }

    /// <summary>Null: the signature is good and noted in <paramref name="known"/>.</summary>
    private MatrixError? Check(Item item, Known known)
    {
        if (item.UserId == known.UserId && known.OwnDevices.TryGetValue(item.KeyId, out var device)) return CheckDevice(item, device, known);
        if (!known.Masters.TryGetValue(item.UserId, out var master) || master.PublicKey != item.KeyId) return NoKey;
        if (!IsSame(item.Json, master.Json)) return OtherKey;
        return item.UserId == known.UserId ? CheckOwnMaster(item, known) : CheckOthersMaster(item, known);
    }

    private static bool IsSame(byte[] given, byte[] stored) => SignedJson.HashOfSigned(given).AsSpan().SequenceEqual(SignedJson.HashOfSigned(stored));

    private MatrixError? CheckDevice(Item item, byte[] device, Known known)
    {
        if (!IsSame(item.Json, device)) return OtherKey;
        if (known.SelfSigning is not { } signer || Verified(item, known.UserId, "ed25519:" + signer, signer) is not { } signature) return Invalid;
        known.Devices.Add(new NewDeviceSignature(item.KeyId, signature, SignedJson.HashOfSigned(device)));
        return null;
    }

    /// <summary>By any of the user's devices; all of them must be good.</summary>
    private MatrixError? CheckOwnMaster(Item item, Known known)
    {
        var found = new List<KeySignature>();
        foreach (var (signer, keyId) in EventSigning.Signatures(item.Json))
        {
            if (signer != known.UserId || !keyId.StartsWith("ed25519:", StringComparison.Ordinal)) continue;
            // What devices have signed only; a master key that signs itself says nothing.
            if (!known.OwnDevices.TryGetValue(keyId["ed25519:".Length..], out var device)) continue;
            if (PublicKeyOfDevice(device, keyId) is not { } publicKey || Verified(item, signer, keyId, publicKey) is not { } signature) return Invalid;
            found.Add(signature);
        }
        if (found.Count == 0) return Invalid;
        known.MasterSignatures.AddRange(found.Select(s => new NewMasterSignature(known.UserId, item.KeyId, s)));
        return null;
    }

    private MatrixError? CheckOthersMaster(Item item, Known known)
    {
        if (known.UserSigning is not { } signer || Verified(item, known.UserId, "ed25519:" + signer, signer) is not { } signature) return Invalid;
        known.MasterSignatures.Add(new NewMasterSignature(item.UserId, item.KeyId, signature));
        return null;
    }

    private static string? PublicKeyOfDevice(byte[] device, string keyId)
    {
        if (!new CanonicalObject(device).TryGet("keys"u8, out var all)) return null;
        foreach (var key in new CanonicalObject(all)) if (CanonicalValue.Unescape(key.Name) == keyId) return CanonicalValue.String(key.Value);
        return null;
    }

    private KeySignature? Verified(Item item, string signer, string keyId, string publicKey)
    {
        if (!UnpaddedBase64.TryDecode(publicKey, out var bytes) || bytes.Length != 32) return null;
        if (!EventSigning.VerifyJson(item.Json, signer, keyId, bytes, server.Ed25519)) return null;
        return SignatureText(item.Json, signer, keyId) is { } text ? new KeySignature(keyId, text) : null;
    }

    private static string? SignatureText(byte[] json, string signer, string keyId)
    {
        if (!new CanonicalObject(json).TryGet("signatures"u8, out var signatures)) return null;
        foreach (var of in new CanonicalObject(signatures))
        {
            if (CanonicalValue.Unescape(of.Name) != signer) continue;
            foreach (var key in new CanonicalObject(of.Value)) if (CanonicalValue.Unescape(key.Name) == keyId) return CanonicalValue.String(key.Value);
        }
        return null;
    }
}

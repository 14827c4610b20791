using System.Runtime.InteropServices;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationClient.DeviceKeys;
using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Keys;

/// <summary>Answers /keys/query: keys of this server's users and of others, with the signatures that the asking user may see.</summary>
internal sealed class KeyQueries(DeviceKeyStore store, IRemoteKeys remote, ServerIdentity server)
{
    public async Task<PooledBuffer> QueryAsync(string asking, JsonElement request, CancellationToken ct)
    {
        var (local, others) = Read(request);
        var timeout = KeyLimits.Timeout(request.IntOrNull("timeout"));
        var elsewhere = others.Count > 0 ? await remote.QueryAsync(others, timeout, ct) : new RemoteKeys();
        var stored = await store.QueryAsync(Wishes(local), elsewhere.MasterKeys.Keys, asking, ct);

        // What the usual device needs, so that it does not grow by doubling.
        var output = new PooledBuffer(4096 + (1024 * stored.Devices.Count));
        output.Raw("{\"device_keys\":{"u8);
        WriteDevices(output, local.Keys, stored, elsewhere);
        output.Raw("},\"failures\":"u8);
        WriteFailures(output, elsewhere.Failures);
        var signatures = stored.MasterSignatures.ToLookup(s => s.TargetUserId, StringComparer.Ordinal);
        foreach (var usage in (ReadOnlySpan<string>)["master", "self_signing", "user_signing"]) WriteCrossSigning(output, usage, stored, signatures, elsewhere);
        output.Raw("}"u8);
        return output;
    }

    private (Dictionary<string, IReadOnlyList<string>> Local, Dictionary<string, IReadOnlyList<string>> Remote) Read(JsonElement request)
    {
        var asked = request.ObjectOrNull("device_keys") ?? throw MatrixError.BadJson("Missing 'device_keys'").AsException();
        var (local, others) = (new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal), new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal));
        var devices = 0;
        foreach (var member in asked.EnumerateObject())
        {
            if (local.Count + others.Count == KeyLimits.Users) throw MatrixError.InvalidParam("Too many users at once.").AsException();
            // Synapse: null and an empty object stand for an empty list; old clients sent them.
            var ids = member.Value.ValueKind switch
            {
                JsonValueKind.Array => [.. member.Value.EnumerateArray().Select(DeviceId)],
                JsonValueKind.Null or JsonValueKind.Object => (List<string>)[],
                _ => throw MatrixError.BadJson("'device_keys' must map users to lists").AsException(),
            };
            devices += ids.Count;
            if (devices > KeyLimits.Devices) throw MatrixError.InvalidParam("Too many devices at once.").AsException();
            // Who is nobody has no keys, and no server that could be asked.
            if (!UserId.TryParse(member.Name, null, out var user)) continue;
            (server.IsMine(user.Value) ? local : others)[user.Value] = ids;
        }
        return (local, others);
    }

    private static string DeviceId(JsonElement id) =>
        id.ValueKind == JsonValueKind.String ? KeyJson.Id(id.GetString()!, "device id") : throw MatrixError.BadJson("Device ids must be strings").AsException();

    private static List<DeviceWish> Wishes(Dictionary<string, IReadOnlyList<string>> users)
    {
        var wishes = new List<DeviceWish>(users.Count);
        foreach (var (user, devices) in users)
        {
            if (devices.Count == 0) wishes.Add(new DeviceWish(user, null));
            else wishes.AddRange(devices.Distinct().Select(d => new DeviceWish(user, d)));
        }
        return wishes;
    }

    // ---------------------------------------------------------------- writing

    private static void WriteDevices(PooledBuffer output, IEnumerable<string> localUsers, StoredKeys stored, RemoteKeys elsewhere)
    {
        var byUser = stored.Devices.ToLookup(d => d.UserId, StringComparer.Ordinal);
        var first = true;
        using var unsigned = new PooledBuffer(64);
        var signatures = new List<JsonSignature>();
        // Users without keys, or who do not exist, have an empty object. Synapse: the same.
        foreach (var user in localUsers)
        {
            output.Comma(ref first).Text(user).Raw(":{"u8);
            var firstDevice = true;
            foreach (var device in byUser[user])
            {
                output.Comma(ref firstDevice).Text(device.DeviceId).Raw(":"u8);
                signatures.Clear();
                foreach (var s in device.Signatures) signatures.Add(new JsonSignature(user, s.KeyId, s.Signature));
                unsigned.Clear();
                unsigned.Raw("{"u8);
                if (device.DisplayName is { } name) unsigned.Raw("\"device_display_name\":"u8).Text(name);
                unsigned.Raw("}"u8);
                SignedJson.Write(output, device.Keys, CollectionsMarshal.AsSpan(signatures), unsigned.Written);
            }
            output.Raw("}"u8);
        }
        foreach (var (user, devices) in elsewhere.Devices)
        {
            output.Comma(ref first).Text(user).Raw(":{"u8);
            var firstDevice = true;
            foreach (var (id, keys) in devices) output.Comma(ref firstDevice).Text(id).Raw(":"u8).Raw(keys);
            output.Raw("}"u8);
        }
    }

    public static void WriteFailures(PooledBuffer output, Dictionary<string, string> failures)
    {
        output.Raw("{"u8);
        var first = true;
        foreach (var (name, reason) in failures)
            output.Comma(ref first).Text(name).Raw(":{\"status\":503,\"message\":"u8).Text(reason).Raw("}"u8);
        output.Raw("}"u8);
    }

    private static void WriteCrossSigning(PooledBuffer output, string usage, StoredKeys stored, ILookup<string, StoredMasterSignature> masterSignatures, RemoteKeys elsewhere)
    {
        output.Raw(",\""u8).Raw(usage switch { "master" => "master_keys"u8, "self_signing" => "self_signing_keys"u8, _ => "user_signing_keys"u8 }).Raw("\":{"u8);
        var keys = stored.CrossSigning.Where(k => k.Usage == usage).Select(k => (k.UserId, k.PublicKey, k.Keys));
        var others = usage switch { "master" => elsewhere.MasterKeys, "self_signing" => elsewhere.SelfSigningKeys, _ => [] };
        var first = true;
        var signatures = new List<JsonSignature>();
        foreach (var (user, publicKey, json) in keys.Concat(others.Select(k => (k.Key, CrossSigningKey.PublicKeyOf(k.Value) ?? "", k.Value))))
        {
            signatures.Clear();
            if (usage == "master")
                foreach (var s in masterSignatures[user])
                    if (s.TargetKey == publicKey) signatures.Add(new JsonSignature(s.SignerUserId, s.Signature.KeyId, s.Signature.Signature));
            output.Comma(ref first).Text(user).Raw(":"u8);
            SignedJson.Write(output, json, CollectionsMarshal.AsSpan(signatures), default);
        }
        output.Raw("}"u8);
    }
}

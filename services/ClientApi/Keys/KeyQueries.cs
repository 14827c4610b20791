using System.Text.Json;
using Matrix.Crypto;
using Matrix.FederationClient.DeviceKeys;
using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Web.Json;
using Matrix.Web.Keys;

namespace Matrix.ClientApi.Keys;

/// <summary>Answers /keys/query: keys of this server's users and of others, with the signatures that the asking user may see.</summary>
internal sealed class KeyQueries(DeviceKeyStore store, IRemoteKeys remote, ServerIdentity server)
{
    public async Task<PooledBuffer> QueryAsync(string asking, JsonElement request, CancellationToken ct)
    {
        var (local, others) = Split(KeyRequests.Query(request));
        var timeout = KeyLimits.Timeout(request.IntOrNull("timeout"));
        var elsewhere = others.Count > 0 ? await remote.QueryAsync(others, timeout, ct) : new RemoteKeys();
        var stored = await store.QueryAsync(KeyRequests.Wishes(local), elsewhere.MasterKeys.Keys, asking, ct);

        // What the usual device needs, so that it does not grow by doubling.
        var output = new PooledBuffer(4096 + (1024 * stored.Devices.Count));
        output.Raw("{\"device_keys\":{"u8);
        var first = true;
        KeyAnswers.WriteDevices(output, ref first, local.Keys, stored, withNames: true);
        WriteDevices(output, ref first, elsewhere);
        output.Raw("},\"failures\":"u8);
        WriteFailures(output, elsewhere.Failures);
        var signatures = stored.MasterSignatures.ToLookup(s => s.TargetUserId, StringComparer.Ordinal);
        foreach (var usage in (ReadOnlySpan<string>)["master", "self_signing", "user_signing"]) WriteCrossSigning(output, usage, stored, signatures, elsewhere);
        output.Raw("}"u8);
        return output;
    }

    private (Dictionary<string, IReadOnlyList<string>> Local, Dictionary<string, IReadOnlyList<string>> Remote) Split(Dictionary<string, IReadOnlyList<string>> asked)
    {
        var (local, others) = (new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal), new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal));
        foreach (var (name, devices) in asked)
        {
            // Who is nobody has no keys, and no server that could be asked.
            if (UserId.TryParse(name, null, out var user)) (server.IsMine(user.Value) ? local : others)[user.Value] = devices;
        }
        return (local, others);
    }

    // ---------------------------------------------------------------- writing

    private static void WriteDevices(PooledBuffer output, ref bool first, RemoteKeys elsewhere)
    {
        foreach (var (user, devices) in elsewhere.Devices)
        {
            output.Comma(ref first).Text(user).Raw(":{"u8);
            var firstDevice = true;
            foreach (var (id, keys) in devices) output.Comma(ref firstDevice).Text(id).Raw(":"u8).Raw(keys);
            output.Raw("}"u8);
        }
    }

    public static void WriteFailures(PooledBuffer output, Dictionary<string, RemoteFailure> failures)
    {
        output.Raw("{"u8);
        var first = true;
        foreach (var (name, failure) in failures)
        {
            output.Comma(ref first).Text(name).Raw(":{\"status\":"u8).Number(failure.Status).Raw(",\"message\":"u8).Text(failure.Message);
            if (failure.Code is { } code) output.Raw(",\"errcode\":"u8).Text(code);
            output.Raw("}"u8);
        }
        output.Raw("}"u8);
    }

    private static void WriteCrossSigning(PooledBuffer output, string usage, StoredKeys stored, ILookup<string, StoredMasterSignature> masterSignatures, RemoteKeys elsewhere)
    {
        output.Raw(",\""u8).Raw(usage switch { "master" => "master_keys"u8, "self_signing" => "self_signing_keys"u8, _ => "user_signing_keys"u8 }).Raw("\":{"u8);
        var keys = stored.CrossSigning.Where(k => k.Usage == usage).Select(k => (k.UserId, k.PublicKey, k.Keys));
        var others = usage switch { "master" => elsewhere.MasterKeys, "self_signing" => elsewhere.SelfSigningKeys, _ => [] };
        var first = true;
        foreach (var (user, publicKey, json) in keys.Concat(others.Select(k => (k.Key, CrossSigningKey.PublicKeyOf(k.Value) ?? "", k.Value))))
        {
            output.Comma(ref first).Text(user).Raw(":"u8);
            KeyAnswers.WriteCrossSigningKey(output, publicKey, json, usage == "master" ? masterSignatures[user] : []);
        }
        output.Raw("}"u8);
    }
}

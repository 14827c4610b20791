using System.Text.Json;
using Matrix.Crypto;
using Matrix.FederationClient.DeviceKeys;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Keys;
using Matrix.Storage.Streams;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Keys;

/// <summary>Answers /keys/claim: one key for each device that is asked for, given once, else the fallback key.</summary>
internal sealed class KeyClaims(DeviceKeyStore store, IRemoteKeys remote, IStreamPublisher publisher, ServerIdentity server, TimeProvider clock)
{
    public async Task<PooledBuffer> ClaimAsync(JsonElement request, CancellationToken ct)
    {
        var (local, others) = Read(request);
        var timeout = KeyLimits.Timeout(request.IntOrNull("timeout"));
        var elsewhere = others.Count > 0 ? await remote.ClaimAsync(others, timeout, ct) : new RemoteClaims();
        var (keys, batches) = await store.ClaimAsync(local, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        await publisher.PublishAllAsync(batches);
        var output = new PooledBuffer(4096);
        output.Raw("{\"one_time_keys\":{"u8);
        var first = true;
        foreach (var user in keys.GroupBy(k => k.UserId, StringComparer.Ordinal))
        {
            output.Comma(ref first).Text(user.Key).Raw(":{"u8);
            var firstDevice = true;
            foreach (var key in user)
                output.Comma(ref firstDevice).Text(key.DeviceId).Raw(":{"u8).Text($"{key.Algorithm}:{key.KeyId}").Raw(":"u8).Raw(key.Key).Raw("}"u8);
            output.Raw("}"u8);
        }
        foreach (var (user, devices) in elsewhere.Keys)
        {
            output.Comma(ref first).Text(user).Raw(":{"u8);
            var firstDevice = true;
            foreach (var (device, named) in devices)
            {
                output.Comma(ref firstDevice).Text(device).Raw(":{"u8);
                var firstKey = true;
                foreach (var (name, key) in named) output.Comma(ref firstKey).Text(name).Raw(":"u8).Raw(key);
                output.Raw("}"u8);
            }
            output.Raw("}"u8);
        }
        output.Raw("},\"failures\":"u8);
        KeyQueries.WriteFailures(output, elsewhere.Failures);
        output.Raw("}"u8);
        return output;
    }

    private (List<KeyWish> Local, Dictionary<string, IReadOnlyDictionary<string, string>> Remote) Read(JsonElement request)
    {
        var asked = request.ObjectOrNull("one_time_keys") ?? throw MatrixError.BadJson("Missing 'one_time_keys'").AsException();
        var local = new Dictionary<(string, string), KeyWish>();
        var others = new Dictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
        var devices = 0;
        foreach (var user in asked.EnumerateObject())
        {
            if (user.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'one_time_keys' must map users to devices").AsException();
            var isUser = UserId.TryParse(user.Name, null, out var id);
            var wanted = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var device in user.Value.EnumerateObject())
            {
                if (++devices > KeyLimits.Devices) throw MatrixError.InvalidParam("Too many devices at once.").AsException();
                if (device.Value.ValueKind != JsonValueKind.String) throw MatrixError.BadJson("Algorithms must be strings").AsException();
                wanted[KeyJson.Id(device.Name, "device id")] = KeyJson.Id(device.Value.GetString()!, "algorithm");
            }
            if (!isUser || wanted.Count == 0) continue;
            if (!server.IsMine(id.Value)) others[id.Value] = wanted;
            else foreach (var (device, algorithm) in wanted) local[(id.Value, device)] = new KeyWish(id.Value, device, algorithm);
        }
        return ([.. local.Values], others);
    }
}

using System.Text.Json;
using Matrix.Crypto;
using Matrix.FederationClient.DeviceKeys;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Keys;
using Matrix.Storage.Streams;
using Matrix.Web.Json;
using Matrix.Web.Keys;

namespace Matrix.ClientApi.Keys;

/// <summary>Answers /keys/claim: one key for each device that is asked for, given once, else the fallback key.</summary>
internal sealed class KeyClaims(DeviceKeyStore store, IRemoteKeys remote, IStreamPublisher publisher, ServerIdentity server, TimeProvider clock)
{
    public async Task<PooledBuffer> ClaimAsync(JsonElement request, CancellationToken ct)
    {
        var (local, others) = Split(KeyRequests.Claim(request));
        var timeout = KeyLimits.Timeout(request.IntOrNull("timeout"));
        var elsewhere = others.Count > 0 ? await remote.ClaimAsync(others, timeout, ct) : new RemoteClaims();
        var (keys, batches) = await store.ClaimAsync(local, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        await publisher.PublishAllAsync(batches);
        var output = new PooledBuffer(4096);
        output.Raw("{\"one_time_keys\":{"u8);
        var first = true;
        KeyAnswers.WriteClaimed(output, ref first, keys);
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

    private (List<KeyWish> Local, Dictionary<string, IReadOnlyDictionary<string, string>> Remote) Split(Dictionary<string, IReadOnlyDictionary<string, string>> asked)
    {
        var (local, others) = (new List<KeyWish>(), new Dictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal));
        foreach (var (name, devices) in asked)
        {
            if (!UserId.TryParse(name, null, out var user)) continue;
            if (server.IsMine(user.Value)) local.AddRange(KeyRequests.Wishes(user.Value, devices));
            else others[user.Value] = devices;
        }
        return (local, others);
    }
}

using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Keys;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Keys;

namespace Matrix.ClientApi.Keys;

/// <summary>Reads the body of /keys/upload. Spec: openapi/client-server/keys.yaml</summary>
internal static class KeyUploadReader
{
    public static KeyUpload Read(JsonElement request, Requester requester)
    {
        var device = request.ObjectOrNull("device_keys") is { } keys ? DeviceKeys(keys, requester.UserId.Value, requester.DeviceId) : null;
        return new KeyUpload(
            requester.UserId.Value, requester.DeviceId, device, device is null ? null : SignedJson.HashOfSigned(device),
            Keys(request, "one_time_keys", KeyLimits.OneTimeKeys), FallbackKeys(request));
    }

    /// <summary>Canonical, without unsigned. The signature is for other clients to check. Synapse: it is not looked at.</summary>
    public static byte[] DeviceKeys(JsonElement keys, string userId, string deviceId)
    {
        if (keys.Text("user_id") != userId) throw MatrixError.BadJson("'user_id' in 'device_keys' is not yours").AsException();
        if (keys.Text("device_id") != deviceId) throw MatrixError.BadJson("'device_id' in 'device_keys' is not this device").AsException();
        foreach (var algorithm in keys.Array("algorithms").EnumerateArray())
            if (algorithm.ValueKind != JsonValueKind.String) throw MatrixError.BadJson("'algorithms' must hold strings").AsException();
        KeyJson.RequireStrings(keys.Object("keys"), "keys");
        KeyJson.RequireSignatures(keys.Object("signatures"));
        return SignedJson.WithoutUnsigned(KeyJson.Canonical(keys, KeyLimits.DeviceKeys, "device_keys"));
    }

    private static List<NewKey> FallbackKeys(JsonElement request)
    {
        // Before the specification took it in it had another name: some clients know that one alone.
        var name = request.TryGetProperty("fallback_keys"u8, out _) ? "fallback_keys" : "org.matrix.msc2732.fallback_keys";
        var keys = Keys(request, name, KeyLimits.FallbackKeys);
        if (keys.DistinctBy(k => k.Algorithm).Count() < keys.Count)
            throw MatrixError.InvalidParam("There can be one fallback key of an algorithm only.").AsException();
        return keys;
    }

    private static List<NewKey> Keys(JsonElement request, string name, int most)
    {
        if (request.ObjectOrNull(name) is not { } given) return [];
        var keys = new Dictionary<string, NewKey>(StringComparer.Ordinal);
        foreach (var member in given.EnumerateObject())
        {
            if (keys.Count == most) throw MatrixError.InvalidParam($"'{name}' holds too many keys").AsException();
            var colon = member.Name.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0) throw MatrixError.InvalidParam($"'{name}': names are an algorithm, a colon and an id").AsException();
            var (algorithm, id) = (KeyJson.Id(member.Name[..colon], "algorithm"), KeyJson.Id(member.Name[(colon + 1)..], "key id"));
            RequireKey(member.Value, name);
            var key = new NewKey(algorithm, id, KeyJson.Canonical(member.Value, KeyLimits.OneTimeKey, name));
            if (!keys.TryAdd(member.Name, key)) throw MatrixError.BadJson($"'{name}' names a key twice").AsException();
        }
        return [.. keys.Values];
    }

    private static void RequireKey(JsonElement key, string name)
    {
        if (key.ValueKind == JsonValueKind.String) return;
        if (key.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson($"'{name}': a key is a string or an object").AsException();
        key.Text("key");
        KeyJson.RequireSignatures(key.Object("signatures"));
    }
}

using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Keys;

namespace Matrix.FederationClient.DeviceKeys;

/// <summary>
/// Takes from a server's answer what was asked for and has the shape of keys, and leaves the rest. Signatures are for clients to verify, who alone know whom
/// they trust. Answers are canonical.
/// </summary>
internal static class RemoteKeyReader
{
    /// <summary>Bytes of a display name as it stands in JSON.</summary>
    private const int MaxName = 2048;
    private const int PublicKeyBytes = 32;

    /// <summary>False: it is no answer, nothing was taken.</summary>
    public static bool Read(ReadOnlySpan<byte> answer, Dictionary<string, IReadOnlyList<string>> asked, RemoteKeys into)
    {
        if (!TryObject(answer, "device_keys"u8, out var users)) return false;
        foreach (var user in new CanonicalObject(users))
        {
            var id = CanonicalValue.Unescape(user.Name);
            if (asked.TryGetValue(id, out var wanted) && CanonicalValue.IsObject(user.Value)) into.Devices[id] = Devices(user.Value, id, wanted);
        }
        ReadCrossSigning(answer, "master_keys"u8, "master"u8, asked, into.MasterKeys);
        ReadCrossSigning(answer, "self_signing_keys"u8, "self_signing"u8, asked, into.SelfSigningKeys);
        return true;
    }

    /// <summary>False: it is no answer, nothing was taken.</summary>
    public static bool Read(ReadOnlySpan<byte> answer, Dictionary<string, IReadOnlyDictionary<string, string>> asked, RemoteClaims into)
    {
        if (!TryObject(answer, "one_time_keys"u8, out var users)) return false;
        foreach (var user in new CanonicalObject(users))
        {
            var id = CanonicalValue.Unescape(user.Name);
            if (asked.TryGetValue(id, out var wanted) && CanonicalValue.IsObject(user.Value) && Claimed(user.Value, wanted) is { Count: > 0 } keys) into.Keys[id] = keys;
        }
        return true;
    }

    // ---------------------------------------------------------------- devices

    private static Dictionary<string, byte[]> Devices(ReadOnlySpan<byte> devices, string userId, IReadOnlyList<string> wanted)
    {
        var found = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var all = wanted.Count == 0;
        var named = all ? [] : wanted.ToHashSet(StringComparer.Ordinal);
        foreach (var device in new CanonicalObject(devices))
        {
            var id = CanonicalValue.Unescape(device.Name);
            if ((all || named.Contains(id)) && IsDevice(device.Value, userId, id)) found[id] = WithName(device.Value);
        }
        return found;
    }

    private static bool IsDevice(ReadOnlySpan<byte> json, string userId, string deviceId)
    {
        if (json.Length > KeyLimits.DeviceKeys || deviceId.Length is 0 or > KeyLimits.Id || !CanonicalValue.IsObject(json)) return false;
        var keys = new CanonicalObject(json);
        return keys.GetString("user_id"u8) == userId && keys.GetString("device_id"u8) == deviceId
            && keys.TryGet("algorithms"u8, out var algorithms) && IsTexts(algorithms)
            && TryObject(json, "keys"u8, out var named) && HoldsTexts(named)
            && TryObject(json, "signatures"u8, out var signatures) && IsSignatures(signatures);
    }

    /// <summary>Of what stands beside the signed, servers tell the name of the device.</summary>
    private static byte[] WithName(ReadOnlySpan<byte> device)
    {
        using var unsigned = new PooledBuffer(64);
        unsigned.Raw("{"u8);
        if (TryObject(device, "unsigned"u8, out var told) && new CanonicalObject(told).TryGet("device_display_name"u8, out var name) && CanonicalValue.IsString(name) && name.Length <= MaxName)
            unsigned.Raw("\"device_display_name\":"u8).Raw(name);
        unsigned.Raw("}"u8);
        using var output = new PooledBuffer(device.Length + 64);
        SignedJson.Write(output, device, default, unsigned.Written);
        return output.Written.ToArray();
    }

    // ---------------------------------------------------------------- cross-signing

    private static void ReadCrossSigning(
        ReadOnlySpan<byte> answer, ReadOnlySpan<byte> member, ReadOnlySpan<byte> usage, Dictionary<string, IReadOnlyList<string>> asked, Dictionary<string, byte[]> into)
    {
        if (!TryObject(answer, member, out var users)) return;
        foreach (var user in new CanonicalObject(users))
        {
            var id = CanonicalValue.Unescape(user.Name);
            if (asked.ContainsKey(id) && IsCrossSigningKey(user.Value, id, usage)) into[id] = user.Value.ToArray();
        }
    }

    private static bool IsCrossSigningKey(ReadOnlySpan<byte> json, string userId, ReadOnlySpan<byte> usage)
    {
        if (json.Length > KeyLimits.DeviceKeys || !CanonicalValue.IsObject(json)) return false;
        var key = new CanonicalObject(json);
        if (key.GetString("user_id"u8) != userId || !key.TryGet("usage"u8, out var usages) || !IsTexts(usages) || !Holds(usages, usage)) return false;
        if (!TryObject(json, "keys"u8, out _) || CrossSigningKey.PublicKeyOf(json) is not { } publicKey) return false;
        if (!UnpaddedBase64.TryDecode(publicKey, out var bytes) || bytes.Length != PublicKeyBytes) return false;
        return !key.TryGet("signatures"u8, out var signatures) || (CanonicalValue.IsObject(signatures) && IsSignatures(signatures));
    }

    private static bool Holds(ReadOnlySpan<byte> texts, ReadOnlySpan<byte> text)
    {
        foreach (var one in new CanonicalArray(texts)) if (CanonicalValue.TryPlain(one, out var plain) && plain.SequenceEqual(text)) return true;
        return false;
    }

    // ---------------------------------------------------------------- one-time keys

    private static Dictionary<string, Dictionary<string, byte[]>> Claimed(ReadOnlySpan<byte> devices, IReadOnlyDictionary<string, string> wanted)
    {
        var found = new Dictionary<string, Dictionary<string, byte[]>>(StringComparer.Ordinal);
        foreach (var device in new CanonicalObject(devices))
        {
            var id = CanonicalValue.Unescape(device.Name);
            if (!wanted.TryGetValue(id, out var algorithm) || !CanonicalValue.IsObject(device.Value)) continue;
            foreach (var key in new CanonicalObject(device.Value))
            {
                var name = CanonicalValue.Unescape(key.Name);
                if (!IsOf(name, algorithm) || !IsOneTimeKey(key.Value)) continue;
                // One was asked for.
                found[id] = new(StringComparer.Ordinal) { [name] = key.Value.ToArray() };
                break;
            }
        }
        return found;
    }

    private static bool IsOf(string name, string algorithm) =>
        name.Length > algorithm.Length + 1 && name.Length <= algorithm.Length + 1 + KeyLimits.Id && name[algorithm.Length] == ':' && name.StartsWith(algorithm, StringComparison.Ordinal);

    private static bool IsOneTimeKey(ReadOnlySpan<byte> key)
    {
        if (key.Length > KeyLimits.OneTimeKey) return false;
        if (CanonicalValue.IsString(key)) return true;
        return CanonicalValue.IsObject(key) && new CanonicalObject(key).GetString("key"u8) is not null
            && TryObject(key, "signatures"u8, out var signatures) && IsSignatures(signatures);
    }

    // ---------------------------------------------------------------- shapes

    private static bool TryObject(ReadOnlySpan<byte> json, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        value = default;
        return CanonicalValue.IsObject(json) && new CanonicalObject(json).TryGet(name, out value) && CanonicalValue.IsObject(value);
    }

    private static bool IsTexts(ReadOnlySpan<byte> array)
    {
        if (!CanonicalValue.IsArray(array)) return false;
        foreach (var one in new CanonicalArray(array)) if (!CanonicalValue.IsString(one)) return false;
        return true;
    }

    private static bool HoldsTexts(ReadOnlySpan<byte> o)
    {
        foreach (var member in new CanonicalObject(o)) if (!CanonicalValue.IsString(member.Value)) return false;
        return true;
    }

    /// <summary>Signers to key ids to strings.</summary>
    private static bool IsSignatures(ReadOnlySpan<byte> o)
    {
        foreach (var signer in new CanonicalObject(o)) if (!CanonicalValue.IsObject(signer.Value) || !HoldsTexts(signer.Value)) return false;
        return true;
    }
}

using System.Runtime.InteropServices;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Keys;

namespace Matrix.Web.Keys;

/// <summary>Keys of this server's users as clients and other servers are told of them.</summary>
public static class KeyAnswers
{
    /// <summary>Members of <c>device_keys</c>. Users without keys, or who do not exist, have an empty object. Synapse: the same.</summary>
    /// <param name="withNames">Those of the devices.</param>
    public static void WriteDevices(PooledBuffer output, ref bool first, IEnumerable<string> users, StoredKeys stored, bool withNames)
    {
        var byUser = stored.Devices.ToLookup(d => d.UserId, StringComparer.Ordinal);
        using var unsigned = new PooledBuffer(64);
        foreach (var user in users)
        {
            output.Comma(ref first).Text(user).Raw(":{"u8);
            var firstDevice = true;
            foreach (var device in byUser[user])
            {
                output.Comma(ref firstDevice).Text(device.DeviceId).Raw(":"u8);
                unsigned.Clear();
                unsigned.Raw("{"u8);
                if (withNames && device.DisplayName is { } name) unsigned.Raw("\"device_display_name\":"u8).Text(name);
                unsigned.Raw("}"u8);
                WriteDevice(output, device, unsigned.Written);
            }
            output.Raw("}"u8);
        }
    }

    /// <param name="unsigned">A JSON object; empty: none.</param>
    public static void WriteDevice(PooledBuffer output, StoredDeviceKeys device, ReadOnlySpan<byte> unsigned)
    {
        Span<JsonSignature> signatures = device.Signatures.Count == 0 ? [] : new JsonSignature[device.Signatures.Count];
        for (var i = 0; i < signatures.Length; i++) signatures[i] = new JsonSignature(device.UserId, device.Signatures[i].KeyId, device.Signatures[i].Signature);
        SignedJson.Write(output, device.Keys, signatures, unsigned);
    }

    /// <summary>A master or other cross-signing key with those of the signatures that are of this key.</summary>
    /// <param name="signatures">Of master keys; for others none.</param>
    public static void WriteCrossSigningKey(PooledBuffer output, string publicKey, ReadOnlySpan<byte> key, IEnumerable<StoredMasterSignature> signatures)
    {
        var found = new List<JsonSignature>();
        foreach (var s in signatures)
            if (s.TargetKey == publicKey) found.Add(new JsonSignature(s.SignerUserId, s.Signature.KeyId, s.Signature.Signature));
        SignedJson.Write(output, key, CollectionsMarshal.AsSpan(found), default);
    }

    /// <summary>Members of <c>one_time_keys</c>.</summary>
    public static void WriteClaimed(PooledBuffer output, ref bool first, IEnumerable<ClaimedKey> keys)
    {
        foreach (var user in keys.GroupBy(k => k.UserId, StringComparer.Ordinal))
        {
            output.Comma(ref first).Text(user.Key).Raw(":{"u8);
            var firstDevice = true;
            foreach (var key in user)
                output.Comma(ref firstDevice).Text(key.DeviceId).Raw(":{"u8).Text($"{key.Algorithm}:{key.KeyId}").Raw(":"u8).Raw(key.Key).Raw("}"u8);
            output.Raw("}"u8);
        }
    }
}

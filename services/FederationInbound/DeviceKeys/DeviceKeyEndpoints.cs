using Matrix.Crypto;
using Matrix.FederationInbound.Authentication;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Keys;
using Matrix.Storage.Streams;
using Matrix.Web.Json;
using Matrix.Web.Keys;
using Matrix.Web.Routing;

namespace Matrix.FederationInbound.DeviceKeys;

/// <summary>Keys of this server's users for other servers. Spec: server-server-api/#end-to-end-encryption, #device-management</summary>
internal static class DeviceKeyEndpoints
{
    /// <summary>Other servers ask for nobody: they see what everybody sees.</summary>
    private const string Everybody = "";

    public static void MapDeviceKeys(this ClientRoutes routes)
    {
        routes.Map("POST", "/_matrix/federation/v1/user/keys/query", QueryAsync).Anonymous().Named("federation_query_keys");
        routes.Map("POST", "/_matrix/federation/v1/user/keys/claim", ClaimAsync).Anonymous().Named("federation_claim_keys");
        routes.Map("GET", "/_matrix/federation/v1/user/devices/{userId}", DevicesAsync).Anonymous().Named("federation_user_devices");
    }

    private static async Task<IResult> QueryAsync(
        FederationRequest request, DeviceKeyStore store, ServerIdentity identity, HomeserverConfig config, CancellationToken ct)
    {
        var asked = KeyRequests.Query(request.Body.AsObject());
        foreach (var user in asked.Keys) RequireMine(user, identity);
        var stored = await store.QueryAsync(KeyRequests.Wishes(asked), [], Everybody, ct);
        var output = new PooledBuffer(4096 + (1024 * stored.Devices.Count));
        output.Raw("{\"device_keys\":{"u8);
        var first = true;
        KeyAnswers.WriteDevices(output, ref first, asked.Keys, stored, config.Accounts.Profiles.DeviceNamesOverFederation);
        output.Raw("},\"master_keys\":{"u8);
        first = true;
        foreach (var key in Keys(stored, "master"))
        {
            output.Comma(ref first).Text(key.UserId).Raw(":"u8);
            WriteMaster(output, key, stored);
        }
        output.Raw("},\"self_signing_keys\":{"u8);
        first = true;
        foreach (var key in Keys(stored, "self_signing")) output.Comma(ref first).Text(key.UserId).Raw(":"u8).Raw(key.Keys);
        output.Raw("}}"u8);
        return MatrixResults.Raw(output);
    }

    private static async Task<IResult> ClaimAsync(
        FederationRequest request, DeviceKeyStore store, ServerIdentity identity, IStreamPublisher publisher, TimeProvider clock, CancellationToken ct)
    {
        var asked = KeyRequests.Claim(request.Body.AsObject());
        // All of them before a key is given.
        foreach (var user in asked.Keys) RequireMine(user, identity);
        var wishes = asked.SelectMany(a => KeyRequests.Wishes(a.Key, a.Value)).ToList();
        var (keys, batches) = await store.ClaimAsync(wishes, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        await publisher.PublishAllAsync(batches);
        var output = new PooledBuffer(4096);
        output.Raw("{\"one_time_keys\":{"u8);
        var first = true;
        KeyAnswers.WriteClaimed(output, ref first, keys);
        output.Raw("}}"u8);
        return MatrixResults.Raw(output);
    }

    private static async Task<IResult> DevicesAsync(
        string userId, FederationRequest request, DeviceKeyStore store, ServerIdentity identity, HomeserverConfig config, CancellationToken ct)
    {
        RequireMine(userId, identity);
        // Before the devices: a change in between is told twice, not never.
        var version = await store.DeviceListVersionAsync(userId, ct);
        var stored = await store.QueryAsync([new DeviceWish(userId, null)], [], Everybody, ct);
        var output = new PooledBuffer(1024 + (1024 * stored.Devices.Count));
        output.Raw("{\"user_id\":"u8).Text(userId).Raw(",\"stream_id\":"u8).Number(version).Raw(",\"devices\":["u8);
        var first = true;
        foreach (var device in stored.Devices)
        {
            output.Comma(ref first).Raw("{\"device_id\":"u8).Text(device.DeviceId).Raw(",\"keys\":"u8);
            KeyAnswers.WriteDevice(output, device, default);
            if (config.Accounts.Profiles.DeviceNamesOverFederation && device.DisplayName is { } name) output.Raw(",\"device_display_name\":"u8).Text(name);
            output.Raw("}"u8);
        }
        output.Raw("]"u8);
        foreach (var key in Keys(stored, "master"))
        {
            output.Raw(",\"master_key\":"u8);
            WriteMaster(output, key, stored);
        }
        foreach (var key in Keys(stored, "self_signing")) output.Raw(",\"self_signing_key\":"u8).Raw(key.Keys);
        output.Raw("}"u8);
        return MatrixResults.Raw(output);
    }

    private static IEnumerable<StoredCrossSigningKey> Keys(StoredKeys stored, string usage) => stored.CrossSigning.Where(k => k.Usage == usage);

    private static void WriteMaster(PooledBuffer output, StoredCrossSigningKey key, StoredKeys stored) =>
        KeyAnswers.WriteCrossSigningKey(output, key.PublicKey, key.Keys, stored.MasterSignatures.Where(s => s.TargetUserId == key.UserId));

    private static void RequireMine(string userId, ServerIdentity identity)
    {
        if (!UserId.TryParse(userId, null, out var user) || !identity.IsMine(user.Value)) throw MatrixError.InvalidParam("User is not hosted on this homeserver").AsException();
    }
}

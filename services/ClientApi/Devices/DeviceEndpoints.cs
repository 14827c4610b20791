using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Devices;

/// <summary>Spec: client-server-api/#device-management</summary>
internal static class DeviceEndpoints
{
    /// <summary>Characters. Synapse: longer names are refused.</summary>
    private const int MaxDisplayName = 100;
    private const int MaxDevicesAtOnce = 1000;

    public static void MapDevices(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.R0V3Unstable, "/devices", List).AllowGuests().Named("get_devices");
        routes.Get(ClientVersions.R0V3Unstable, "/devices/{deviceId}", Get).AllowGuests().Named("get_device");
        routes.Put(ClientVersions.R0V3Unstable, "/devices/{deviceId}", Put).AllowGuests().Named("set_device");
        routes.Delete(ClientVersions.R0V3Unstable, "/devices/{deviceId}", Delete).Named("delete_device");
        routes.Post(ClientVersions.R0V3Unstable, "/delete_devices", DeleteMany).Named("delete_devices");
    }

    private static async Task<IResult> List(Requester requester, DeviceStore devices, CancellationToken ct)
    {
        var list = await devices.ListAsync(requester.UserId.Value, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("devices"u8);
            foreach (var device in list)
            {
                w.WriteStartObject();
                Write(w, device, requester.UserId);
                w.WriteEndObject();
            }
            w.WriteEndArray();
        });
    }

    private static async Task<IResult> Get(string deviceId, Requester requester, DeviceStore devices, CancellationToken ct)
    {
        var device = await devices.FindAsync(requester.UserId.Value, deviceId, ct) ?? throw NotFound();
        return MatrixResults.Object(w => Write(w, device, requester.UserId));
    }

    private static void Write(Utf8JsonWriter w, DeviceRecord device, UserId user)
    {
        w.WriteString("device_id"u8, device.DeviceId);
        w.WriteString("user_id"u8, user.Value);
        if (device.DisplayName is { } name) w.WriteString("display_name"u8, name);
        if (device.LastSeenIp is { } ip) w.WriteString("last_seen_ip"u8, ip);
        if (device.LastSeenTsMs is { } at) w.WriteNumber("last_seen_ts"u8, at);
    }

    private static async Task<IResult> Put(
        string deviceId, JsonBody body, Requester requester, DeviceStore devices, Sessions sessions, IStreamPublisher publisher, TimeProvider clock, CancellationToken ct)
    {
        var request = body.AsObjectOrEmpty();
        var name = request.StringOrNull("display_name");
        if (name is { Length: > MaxDisplayName } && name.EnumerateRunes().Count() > MaxDisplayName)
            throw MatrixError.InvalidParam("Device display name is too long (max 100)").AsException();
        if (await devices.FindAsync(requester.UserId.Value, deviceId, ct) is null)
        {
            // Application services make devices of their users without logging in. Spec: application-service-api/#device-management
            if (requester.AppServiceId is null) throw NotFound();
            DeviceIds.Require(deviceId);
            await sessions.RequireNoKeyAsync(requester.UserId, deviceId, ct);
            var made = await devices.CreateAsync(requester.UserId.Value, deviceId, name, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
            await publisher.PublishAllAsync(made);
            if (made.Count > 0) return MatrixResults.Object(_ => { }, 201);
        }
        if (name is not null) await publisher.PublishAllAsync(await devices.RenameAsync(requester.UserId.Value, deviceId, name, ct));
        return MatrixResults.Empty;
    }

    private static async Task<IResult> Delete(
        string deviceId, JsonBody body, Requester requester, Reauthentication reauthentication, Sessions sessions, CancellationToken ct)
    {
        var request = body.AsObjectOrEmpty();
        // Application services have nothing to prove themselves with but their token.
        if (requester.AppServiceId is null && (await reauthentication.CheckAsync(requester, $"delete_device {deviceId}", request, ct, acceptsEarlier: true)).Challenge is { } challenge) return challenge;
        await sessions.LogOutAsync(requester.UserId, [deviceId], ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> DeleteMany(JsonBody body, Requester requester, Reauthentication reauthentication, Sessions sessions, CancellationToken ct)
    {
        var request = body.AsObject();
        // Who goes on with a session may send nothing but auth; what is wrong is told before anybody proves anything.
        var goesOn = requester.AppServiceId is null && request.TryGetProperty("auth"u8, out _) && !request.TryGetProperty("devices"u8, out _);
        var ids = goesOn ? null : DevicesOf(request);
        var outcome = requester.AppServiceId is null ? await reauthentication.CheckAsync(requester, "delete_devices", request, ct, acceptsEarlier: true) : default;
        if (outcome.Challenge is { } challenge) return challenge;
        ids ??= DevicesOf(outcome.Remembered);
        await sessions.LogOutAsync(requester.UserId, ids, ct);
        return MatrixResults.Empty;
    }

    private static List<string> DevicesOf(JsonElement request)
    {
        var array = request.ArrayOrNull("devices") ?? throw MatrixError.MissingParam("Missing 'devices' parameter").AsException();
        if (array.GetArrayLength() > MaxDevicesAtOnce) throw MatrixError.InvalidParam("Too many devices at once.").AsException();
        var ids = new List<string>();
        foreach (var id in array.EnumerateArray())
            ids.Add(id.ValueKind == JsonValueKind.String ? JsonElementExtensions.Storable(id, "devices") : throw MatrixError.BadJson("'devices' must hold strings").AsException());
        return ids;
    }

    private static MatrixException NotFound() => MatrixError.NotFound("No device found").AsException();
}

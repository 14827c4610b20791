using System.Globalization;
using System.Text;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Keys;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Keys;
using Matrix.Storage.Streams;
using Matrix.Storage.Sync;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Keys;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.DehydratedDevices;

/// <summary>A device that waits here for its user. Spec: MSC3814</summary>
internal static class DehydratedDeviceEndpoints
{
    private const string Path = "/org.matrix.msc3814.v1/dehydrated_device";
    private const int MaxData = 256 * 1024, EventsAtOnce = 100, MaxDisplayName = 100;

    public static void MapDehydratedDevices(this ClientRoutes routes)
    {
        routes.Put(ClientVersions.Unstable, Path, Put).Named("set_dehydrated_device");
        routes.Get(ClientVersions.Unstable, Path, Get).Named("get_dehydrated_device");
        routes.Delete(ClientVersions.Unstable, Path, Delete).Named("delete_dehydrated_device");
        routes.Get(ClientVersions.Unstable, Path + "/{deviceId}/events", GetEvents).Named("get_dehydrated_device_events");
        routes.Post(ClientVersions.Unstable, Path + "/{deviceId}/events", PostEvents).Named("get_dehydrated_device_events");
    }

    private static async Task<IResult> Put(
        JsonBody body, Requester requester, DeviceKeyStore store, Sessions sessions, IStreamPublisher publisher, TimeProvider clock, CancellationToken ct)
    {
        var request = body.AsObject();
        var id = KeyJson.Id(request.RequiredString("device_id"), "device id");
        var data = request.ObjectOrNull("device_data") ?? throw MatrixError.MissingParam("Missing 'device_data' parameter").AsException();
        data.Text("algorithm");
        if (request.ObjectOrNull("device_keys") is null) throw MatrixError.MissingParam("Missing 'device_keys' parameter").AsException();
        var name = request.StringOrNull("initial_device_display_name");
        if (name is { Length: > MaxDisplayName }) throw MatrixError.InvalidParam("Device display name is too long (max 100)").AsException();
        var json = Encoding.UTF8.GetBytes(data.GetRawText());
        if (json.Length > MaxData) throw MatrixError.TooLarge("'device_data' is too large").AsException();
        await sessions.RequireNoKeyAsync(requester.UserId, id, ct);
        var upload = KeyUploadReader.Read(request, requester with { DeviceId = id });
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var result = await store.DehydrateAsync(upload, name, json, KeyLimits.OneTimeKeys, now, ct);
        if (result is null) throw MatrixError.InvalidParam("Another device is called so.").AsException();
        KeyEndpoints.Require(result);
        await publisher.PublishAllAsync(result.Batches);
        return Named(id);
    }

    private static IResult Named(string deviceId) => MatrixResults.Object(w => w.WriteString("device_id"u8, deviceId));

    private static async Task<DehydratedDevice> FindAsync(Requester requester, DeviceKeyStore store, CancellationToken ct) =>
        await store.FindDehydratedAsync(requester.UserId.Value, ct) ?? throw MatrixError.NotFound("No dehydrated device available").AsException();

    private static async Task<IResult> Get(Requester requester, DeviceKeyStore store, CancellationToken ct)
    {
        var device = await FindAsync(requester, store, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteString("device_id"u8, device.DeviceId);
            w.WritePropertyName("device_data"u8);
            w.WriteRawValue(device.Data, skipInputValidation: true);
        });
    }

    private static async Task<IResult> Delete(Requester requester, DeviceKeyStore store, Sessions sessions, CancellationToken ct)
    {
        var device = await FindAsync(requester, store, ct);
        await sessions.LogOutAsync(requester.UserId, [device.DeviceId], ct);
        return Named(device.DeviceId);
    }

    /// <remarks>Who is told no <c>next_batch</c> has them all.</remarks>
    private static Task<IResult> GetEvents(
        string deviceId, string? from, Requester requester, DeviceKeyStore store, SyncReader messages, CancellationToken ct) =>
        TellAsync(deviceId, from, alwaysNext: false, requester, store, messages, ct);

    /// <remarks>Synapse: as the proposal had it before; there is always a <c>next_batch</c>, and clients ask until they are told nothing more.</remarks>
    private static Task<IResult> PostEvents(
        string deviceId, JsonBody body, Requester requester, DeviceKeyStore store, SyncReader messages, CancellationToken ct) =>
        TellAsync(deviceId, body.AsObjectOrEmpty().StringOrNull("next_batch"), alwaysNext: true, requester, store, messages, ct);

    /// <remarks>Nothing is removed by being told: who is interrupted begins again. It goes with the device.</remarks>
    private static async Task<IResult> TellAsync(
        string deviceId, string? from, bool alwaysNext, Requester requester, DeviceKeyStore store, SyncReader messages, CancellationToken ct)
    {
        var since = 0L;
        if (from is not null && !long.TryParse(from, NumberStyles.None, CultureInfo.InvariantCulture, out since))
            throw MatrixError.InvalidParam($"Invalid '{(alwaysNext ? "next_batch" : "from")}' token.").AsException();
        if ((await FindAsync(requester, store, ct)).DeviceId != deviceId)
            throw MatrixError.Forbidden("That is not the dehydrated device.").AsException();
        var found = await messages.ToDeviceAsync(requester.UserId.Value, deviceId, since, long.MaxValue, EventsAtOnce + 1, ct);
        var events = found.Take(EventsAtOnce).ToList();
        var last = events.Count > 0 ? events[^1].Position : since;
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("events"u8);
            foreach (var e in events)
            {
                w.WriteStartObject();
                w.WriteString("sender"u8, e.Sender);
                w.WriteString("type"u8, e.Type);
                w.WritePropertyName("content"u8);
                w.WriteRawValue(e.Content.Span, skipInputValidation: true);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            if (alwaysNext || found.Count > events.Count) w.WriteString("next_batch"u8, last.ToString(CultureInfo.InvariantCulture));
        });
    }
}

using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults.Edge;
using Matrix.Storage.Streams;
using Matrix.Storage.ToDevice;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Keys;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.ToDevice;

/// <summary>Spec: client-server-api/#send-to-device-messaging</summary>
internal static class SendToDeviceEndpoints
{
    /// <summary>Devices that one request may name; it is one transaction.</summary>
    private const int MaxMessages = 10_000;
    /// <summary>Bytes of a message's content. Synapse: what an EDU may hold.</summary>
    private const int MaxContent = 64 * 1024;

    public static void MapSendToDevice(this ClientRoutes routes) =>
        routes.Put(ClientVersions.R0V3Unstable, "/sendToDevice/{eventType}/{txnId}", Put).AllowGuests().Named("send_to_device").BodyLimit(BodyLimits.Bulk);

    private static async Task<IResult> Put(
        string eventType, string txnId, JsonBody body, Requester requester, ToDeviceStore store, IStreamPublisher publisher, ServerIdentity server,
        TimeProvider clock, CancellationToken ct)
    {
        KeyJson.Id(eventType, "event type");
        KeyJson.Id(txnId, "transaction id");
        var messages = Read(body.AsObject(), server);
        var batches = await store.SendAsync(
            requester.UserId.Value, requester.DeviceId, txnId, eventType, messages, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        await publisher.PublishAllAsync(batches);
        return MatrixResults.Empty;
    }

    /// <summary>Messages for users of this server; those for others go out with federation.</summary>
    private static List<ToDeviceMessage> Read(JsonElement request, ServerIdentity server)
    {
        var users = request.ObjectOrNull("messages") ?? throw MatrixError.MissingParam("Missing 'messages' parameter").AsException();
        var messages = new List<ToDeviceMessage>();
        foreach (var user in users.EnumerateObject())
        {
            if (user.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'messages' must map users to devices").AsException();
            // Synapse: a message for all devices takes the place of those for some.
            var toAll = user.Value.TryGetProperty("*"u8, out _);
            var named = new HashSet<string>(StringComparer.Ordinal);
            foreach (var device in user.Value.EnumerateObject())
            {
                if (device.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("A message must be an object").AsException();
                if (!named.Add(KeyJson.Id(device.Name, "device id"))) throw MatrixError.BadJson("A device is named twice").AsException();
                if (!server.IsMine(KeyJson.Id(user.Name, "user id")) || (toAll && device.Name != "*")) continue;
                if (messages.Count == MaxMessages) throw MatrixError.InvalidParam("Too many messages at once.").AsException();
                var content = Encoding.UTF8.GetBytes(device.Value.GetRawText());
                if (content.Length > MaxContent) throw MatrixError.TooLarge("A message is too large").AsException();
                messages.Add(new(user.Name, device.Name, content));
            }
        }
        return messages;
    }
}

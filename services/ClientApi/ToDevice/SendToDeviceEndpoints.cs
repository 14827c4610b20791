using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Streams;
using Matrix.Storage.ToDevice;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.ToDevice;

/// <summary>Spec: client-server-api/#send-to-device-messaging</summary>
internal static class SendToDeviceEndpoints
{
    public static void MapSendToDevice(this ClientRoutes routes) =>
        routes.Put(ClientVersions.R0V3Unstable, "/sendToDevice/{eventType}/{txnId}", Put).AllowGuests().Named("send_to_device");

    private static async Task<IResult> Put(
        string eventType, string txnId, JsonBody body, Requester requester, ToDeviceStore store, IStreamPublisher publisher, ServerIdentity server,
        TimeProvider clock, CancellationToken ct)
    {
        var request = body.AsObject();
        var messages = Read(request, server);
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
            foreach (var device in user.Value.EnumerateObject())
            {
                if (device.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("A message must be an object").AsException();
                if (server.IsMine(user.Name)) messages.Add(new(user.Name, device.Name, Encoding.UTF8.GetBytes(device.Value.GetRawText())));
            }
        }
        return messages;
    }
}

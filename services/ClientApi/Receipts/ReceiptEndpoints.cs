using System.Text.Json;
using Matrix.ClientApi.AccountData;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.AccountData;
using Matrix.Storage.Receipts;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Receipts;

/// <summary>Receipts and read markers. Spec: client-server-api/#receipts, #read-and-unread-markers</summary>
internal static class ReceiptEndpoints
{
    private const string Read = "m.read";
    private const string ReadPrivate = "m.read.private";
    private const string FullyRead = "m.fully_read";

    public static void MapReceipts(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/rooms/{roomId}/receipt/{receiptType}/{eventId}", PostReceipt).Named("post_receipt");
        routes.Post(ClientVersions.R0V3Unstable, "/rooms/{roomId}/read_markers", PostMarkers).Named("set_read_markers");
    }

    private static async Task<IResult> PostReceipt(
        RoomId roomId, string receiptType, string eventId, JsonBody body, Requester requester, ReceiptWriter writer, EventThreads threads, CancellationToken ct)
    {
        if (receiptType is not (Read or ReadPrivate or FullyRead))
            throw MatrixError.InvalidParam($"Receipt type must be '{Read}', '{ReadPrivate}' or '{FullyRead}'").AsException();
        var request = body.AsObjectOrEmpty();
        var thread = ThreadOf(request, receiptType);
        RequireEventId(eventId);
        if (thread.Length > 0 && !await threads.IsInAsync(roomId.Value, eventId, thread, ct))
            throw MatrixError.InvalidParam($"event_id {eventId} is not related to thread {thread}").AsException();
        if (receiptType == FullyRead) await writer.SetFullyReadAsync(roomId, requester.UserId, eventId, ct);
        else await writer.SetAsync(roomId, requester.UserId, receiptType, thread, eventId, ct);
        return MatrixResults.Empty;
    }

    /// <summary>Empty: unthreaded.</summary>
    private static string ThreadOf(JsonElement request, string receiptType)
    {
        if (!request.TryGetProperty("thread_id"u8, out var thread)) return "";
        if (receiptType == FullyRead) throw MatrixError.InvalidParam($"thread_id is not compatible with {FullyRead} receipts.").AsException();
        return thread.ValueKind == JsonValueKind.String && thread.GetString() is { Length: > 0 and <= MatrixIdLimits.MaxBytes } id
            ? id : throw MatrixError.InvalidParam("thread_id field must be a non-empty string").AsException();
    }

    private static async Task<IResult> PostMarkers(RoomId roomId, JsonBody body, Requester requester, ReceiptWriter writer, CancellationToken ct)
    {
        var request = body.AsObject();
        var markers = new List<(string Type, string EventId)>();
        foreach (var type in (string[])[FullyRead, Read, ReadPrivate])
            if (request.StringOrNull(type) is { } id) markers.Add((type, RequireEventId(id)));
        foreach (var (type, eventId) in markers)
        {
            if (type == FullyRead) await writer.SetFullyReadAsync(roomId, requester.UserId, eventId, ct);
            else await writer.SetAsync(roomId, requester.UserId, type, "", eventId, ct);
        }
        return MatrixResults.Empty;
    }

    private static string RequireEventId(string id) =>
        Primitives.EventId.TryParse(id, null, out _) ? id : throw MatrixError.InvalidParam("Not an event id.").AsException();
}

/// <summary>Moves receipts and markers forward and announces them.</summary>
internal sealed class ReceiptWriter(ReceiptStore receipts, AccountDataWriter accountData, IStreamPublisher publisher, TimeProvider clock)
{
    public async Task SetAsync(RoomId room, UserId user, string type, string thread, string eventId, CancellationToken ct)
    {
        var (joined, batches) = await receipts.SetAsync(room.Value, user.Value, type, thread, eventId, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        if (!joined) throw NotJoined();
        await publisher.PublishAllAsync(batches);
    }

    public async Task SetFullyReadAsync(RoomId room, UserId user, string eventId, CancellationToken ct)
    {
        var content = JsonSerializer.SerializeToUtf8Bytes(new FullyReadContent(eventId), ReceiptJson.Default.FullyReadContent);
        switch (await accountData.SetFullyReadAsync(user.Value, room.Value, eventId, content, ct))
        {
            case MarkerResult.NotJoined: throw NotJoined();
            case MarkerResult.UnknownEvent: throw MatrixError.NotFound("Could not find event in the room.").AsException();
        }
    }

    private static MatrixException NotJoined() => MatrixError.Forbidden("You are not joined to the room.").AsException();
}

internal sealed record FullyReadContent([property: System.Text.Json.Serialization.JsonPropertyName("event_id")] string EventId);

[System.Text.Json.Serialization.JsonSerializable(typeof(FullyReadContent))]
internal sealed partial class ReceiptJson : System.Text.Json.Serialization.JsonSerializerContext;

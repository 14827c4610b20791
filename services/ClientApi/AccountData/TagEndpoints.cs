using System.Buffers;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.Storage.AccountData;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.AccountData;

/// <summary>Tags of rooms: account data m.tag, changed tag by tag. Spec: client-server-api/#room-tagging</summary>
internal static class TagEndpoints
{
    private const string Type = "m.tag";
    private const string All = "/user/{userId}/rooms/{roomId}/tags";
    private const string One = All + "/{tag}";
    /// <summary>Bytes of a tag's name. Spec: client-server-api/#room-tagging</summary>
    private const int MaxName = 255;

    public static void MapTags(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.R0V3Unstable, All, GetAll).Named("get_room_tags");
        routes.Put(ClientVersions.R0V3Unstable, One, Put).Named("set_room_tag");
        routes.Delete(ClientVersions.R0V3Unstable, One, Delete).Named("delete_room_tag");
    }

    private static async Task<IResult> GetAll(UserId userId, RoomId roomId, Requester requester, AccountDataStore store, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot get tags for other users.");
        var content = await store.GetAsync(userId.Value, roomId.Value, Type, ct);
        return content is null or { Length: 2 } ? MatrixResults.Raw("""{"tags":{}}"""u8.ToArray()) : MatrixResults.Raw(content);
    }

    private static async Task<IResult> Put(
        UserId userId, RoomId roomId, string tag, Requester requester, JsonBody body, RoomReader rooms, AccountDataWriter writer, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot add tags for other users.");
        if (Encoding.UTF8.GetByteCount(tag) > MaxName) throw MatrixError.InvalidParam("The name of a tag must not exceed 255 bytes.").AsException();
        var value = body.AsObjectOrEmpty();
        // Synapse: rooms that the user was never in nor invited to have no tags; other account data of a room is not asked about.
        if (await rooms.MembershipAsync(roomId.Value, userId.Value, ct) is null)
            throw MatrixError.Forbidden($"User {userId} has no membership in room {roomId}").AsException();
        await writer.UpdateAsync(userId.Value, roomId.Value, Type, current => Change(current, tag, value), ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> Delete(
        UserId userId, RoomId roomId, string tag, Requester requester, AccountDataWriter writer, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot remove tags for other users.");
        await writer.UpdateAsync(userId.Value, roomId.Value, Type, current => Change(current, tag, null), ct);
        return MatrixResults.Empty;
    }

    /// <summary>The content with that tag set, or without it; null when it would stay as it is.</summary>
    internal static ReadOnlyMemory<byte>? Change(ReadOnlyMemory<byte> content, string tag, JsonElement? value)
    {
        using var document = JsonDocument.Parse(content);
        var tags = document.RootElement.TryGetProperty("tags"u8, out var t) && t.ValueKind == JsonValueKind.Object ? t : JsonBody.EmptyObject;
        if (value is null && !tags.TryGetProperty(tag, out _)) return null;
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            w.WriteStartObject("tags"u8);
            foreach (var member in tags.EnumerateObject().Where(m => !m.NameEquals(tag))) member.WriteTo(w);
            if (value is { } set)
            {
                w.WritePropertyName(tag);
                set.WriteTo(w);
            }
            w.WriteEndObject();
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }
}

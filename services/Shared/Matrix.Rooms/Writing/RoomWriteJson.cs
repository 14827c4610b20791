using System.Text.Json;
using System.Text.Json.Serialization;

namespace Matrix.Rooms.Writing;

/// <summary>Bodies of <c>/_internal/rpc/rooms/...</c>.</summary>
public sealed record RoomWriteBody(string RoomId, string Sender, List<EventBody> Events, string? TxnId = null, string? DeviceId = null, long? OriginServerTs = null,
    bool IsByHand = false)
{
    public RoomWrite ToWrite() =>
        new(RoomId, Sender, [.. Events.Select(e => new EventToSend(e.Type, e.StateKey, JsonSerializer.SerializeToUtf8Bytes(e.Content, RoomWriteJson.Default.JsonElement)))])
        {
            TxnId = TxnId, DeviceId = DeviceId, OriginServerTs = OriginServerTs, IsByHand = IsByHand,
        };

    public static RoomWriteBody Of(RoomWrite write)
    {
        var events = new List<EventBody>(write.Events.Count);
        foreach (var e in write.Events)
        {
            using var content = JsonDocument.Parse(e.Content);
            events.Add(new EventBody(e.Type, e.StateKey, content.RootElement.Clone()));
        }
        return new RoomWriteBody(write.RoomId, write.Sender, events, write.TxnId, write.DeviceId, write.OriginServerTs, write.IsByHand);
    }
}

public sealed record EventBody(string Type, string? StateKey, JsonElement Content);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RoomWriteBody))]
[JsonSerializable(typeof(MembershipWrite))]
[JsonSerializable(typeof(ThirdPartyExchangeWrite))]
[JsonSerializable(typeof(RoomCreationWrite))]
[JsonSerializable(typeof(RoomCreated))]
[JsonSerializable(typeof(RoomWriteResult))]
[JsonSerializable(typeof(JsonElement))]
public sealed partial class RoomWriteJson : JsonSerializerContext;

using System.Buffers;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.Storage.Rooms;
using Matrix.Web.Json;

namespace Matrix.ClientApi.RoomDirectory;

/// <summary>Keeps a room's m.room.canonical_alias in step with its aliases.</summary>
internal sealed class CanonicalAliases(RoomReader rooms, IRoomWriter writer)
{
    /// <summary>Takes an alias that no longer exists out of the room's canonical alias event, when it is there and the user may. Synapse: does so.</summary>
    public async Task RemoveAsync(string roomId, UserId user, string alias, CancellationToken ct)
    {
        if (await rooms.FindAsync(roomId, ct) is not { } room) return;
        if (await rooms.CurrentStateAsync(room.RoomNid, new StateKey(EventTypes.CanonicalAlias, ""), ct) is not { } e) return;
        if (Without(e.Pdu.Content, alias) is not { } content) return;
        try
        {
            await writer.SendAsync(new RoomWrite(roomId, user.Value, [new EventToSend(EventTypes.CanonicalAlias, "", content)]), ct);
        }
        catch (MatrixException refused) when (refused.Error.Status == 403)
        {
            // The alias was his, the room's state is not: the event stays as it is.
        }
    }

    /// <summary>The content without that alias; null when it is not in there.</summary>
    internal static ReadOnlyMemory<byte>? Without(ReadOnlyMemory<byte> content, string alias)
    {
        using var document = JsonDocument.Parse(content);
        var changed = false;
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            foreach (var member in document.RootElement.EnumerateObject())
            {
                if (member.NameEquals("alias"u8) && IsAlias(member.Value)) changed = true;
                else if (member.NameEquals("alt_aliases"u8) && member.Value.ValueKind == JsonValueKind.Array)
                {
                    w.WriteStartArray("alt_aliases"u8);
                    foreach (var element in member.Value.EnumerateArray())
                    {
                        if (IsAlias(element)) changed = true;
                        else element.WriteTo(w);
                    }
                    w.WriteEndArray();
                }
                else member.WriteTo(w);
            }
            w.WriteEndObject();
        }
        // A bare null would become an empty memory, by way of the conversion from arrays.
        return changed ? buffer.WrittenMemory : default(ReadOnlyMemory<byte>?);

        bool IsAlias(JsonElement value) => value.ValueKind == JsonValueKind.String && value.ValueEquals(alias);
    }
}

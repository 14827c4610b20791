using System.Text.Json;
using Matrix.EventPersister.Sending;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.AccountData;
using Matrix.Storage.Rooms;
using Matrix.Storage.Streams;

namespace Matrix.EventPersister.Rooms;

/// <summary>
/// What a user has set for a room goes with him to the one that replaces it: tags, direct chats, push rules. Spec: client-server-api/#room-upgrades,
/// server behaviour
/// </summary>
internal sealed class RoomSuccession(AccountDataStore accountData, RoomReader rooms, IStreamPublisher publisher)
{
    /// <summary>After a user of this server has joined a room: from its predecessor, if he is in it.</summary>
    public async Task AfterJoinAsync(string userId, string oldRoom, string roomId, CancellationToken ct)
    {
        if (oldRoom != roomId && await rooms.MembershipAsync(oldRoom, userId, ct) is { Membership: Memberships.Join }) await CarryOverAsync(userId, oldRoom, roomId, ct);
    }

    public async Task CarryOverAsync(string userId, string oldRoom, string newRoom, CancellationToken ct)
    {
        if (await accountData.GetAsync(userId, oldRoom, "m.tag", ct) is { } tags)
            await UpdateAsync(userId, newRoom, "m.tag", before => before.Span.SequenceEqual("{}"u8) ? tags : null, ct);
        await UpdateAsync(userId, "", "m.direct", before => WithDirect(before, oldRoom, newRoom), ct);
        await UpdateAsync(userId, "", "m.push_rules", before => WithRules(before, oldRoom, newRoom), ct);
    }

    private async Task UpdateAsync(
        string userId, string roomId, string type, Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>?> change, CancellationToken ct) =>
        await publisher.PublishAllAsync(await accountData.UpdateAsync(userId, roomId, type, change, ct));

    /// <summary>Null: the old room is nobody's direct chat, or the new one is already.</summary>
    internal static ReadOnlyMemory<byte>? WithDirect(ReadOnlyMemory<byte> before, string oldRoom, string newRoom)
    {
        using var document = JsonDocument.Parse(before);
        if (document.RootElement.ValueKind != JsonValueKind.Object) return null;
        var changed = false;
        var after = EventContent.Write(w =>
        {
            foreach (var user in document.RootElement.EnumerateObject())
            {
                var list = user.Value.ValueKind == JsonValueKind.Array ? user.Value.EnumerateArray().ToList() : null;
                if (list is null || !list.Any(r => Is(r, oldRoom)) || list.Any(r => Is(r, newRoom))) { user.WriteTo(w); continue; }
                changed = true;
                w.WriteStartArray(user.Name);
                foreach (var room in list) room.WriteTo(w);
                w.WriteStringValue(newRoom);
                w.WriteEndArray();
            }
        });
        return changed ? after : default(ReadOnlyMemory<byte>?);
    }

    /// <summary>Rules of kind room are named by their room. Null: none is of the old room.</summary>
    internal static ReadOnlyMemory<byte>? WithRules(ReadOnlyMemory<byte> before, string oldRoom, string newRoom)
    {
        using var document = JsonDocument.Parse(before);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("global", out var global)
            || global.ValueKind != JsonValueKind.Object || !global.TryGetProperty("room", out var rules) || rules.ValueKind != JsonValueKind.Array) return null;
        var own = rules.EnumerateArray().Where(r => IdIs(r, oldRoom)).ToList();
        if (own.Count == 0 || rules.EnumerateArray().Any(r => IdIs(r, newRoom))) return null;
        return EventContent.Write(w =>
        {
            EventContent.CopyMembers(w, document.RootElement, "global");
            w.WriteStartObject("global");
            EventContent.CopyMembers(w, global, "room");
            w.WriteStartArray("room");
            foreach (var rule in own)
            {
                w.WriteStartObject();
                w.WriteString("rule_id", newRoom);
                EventContent.CopyMembers(w, rule, "rule_id");
                w.WriteEndObject();
            }
            foreach (var rule in rules.EnumerateArray()) rule.WriteTo(w);
            w.WriteEndArray();
            w.WriteEndObject();
        });
    }

    private static bool IdIs(JsonElement rule, string room) => rule.ValueKind == JsonValueKind.Object && rule.TryGetProperty("rule_id", out var id) && Is(id, room);
    private static bool Is(JsonElement text, string value) => text.ValueKind == JsonValueKind.String && text.ValueEquals(value);
}

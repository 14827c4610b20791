using System.Text.Json;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Sending;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Rooms;

/// <summary>Replaces a room by one of another version. Spec: client-server-api/#room-upgrades</summary>
internal sealed partial class RoomUpgrade(
    RoomActors actors, RoomReader rooms, RoomCreation creation, RoomAliasMover aliases, RoomSuccession succession, ILogger<RoomUpgrade> log)
{
    /// <summary>State that goes along, beside power levels and bans.</summary>
    private static readonly string[] Transferred =
    [
        EventTypes.ServerAcl, EventTypes.Encryption, EventTypes.Name, EventTypes.Avatar, EventTypes.Topic, EventTypes.GuestAccess,
        EventTypes.HistoryVisibility, EventTypes.JoinRules, EventTypes.CanonicalAlias,
    ];

    /// <summary>Id of the new room.</summary>
    public async Task<string> UpgradeAsync(string roomId, string userId, RoomVersion version, IReadOnlyList<string> additionalCreators, CancellationToken ct)
    {
        var old = await rooms.FindAsync(roomId, ct) ?? throw MatrixError.NotFound("Unknown room").AsException();
        var state = (await rooms.CurrentStateAsync(old.RoomNid, ct)).ToDictionary(e => e.Pdu.StatePair);
        var create = state[new(EventTypes.Create, "")].Pdu;
        var levels = PowerLevels.Read(create, state.GetValueOrDefault(new(EventTypes.PowerLevels, ""))?.Pdu);
        if (state.GetValueOrDefault(new(EventTypes.Member, userId))?.Pdu.Membership != Memberships.Join
            || levels.Of(userId) < levels.ToSend(EventTypes.Tombstone, isState: true))
            throw MatrixError.Forbidden("You cannot upgrade this room").AsException();

        // Published only when the old room says where it went.
        var plan = new RoomPlan
        {
            Version = version, Creator = userId, IsPublic = false, Preset = RoomPreset.Find("private_chat", isPublic: false), Invites = [],
            InitialState = [.. NewState(state, version, userId, additionalCreators)], LastPowerLevels = LastLevels(state, levels, version, userId, additionalCreators),
        };
        var command = new UpgradeCommand(userId, version, creation, (newRoom, tombstone) => new RoomPlan
        {
            Version = plan.Version, Creator = plan.Creator, IsPublic = plan.IsPublic, Preset = plan.Preset, Invites = plan.Invites, InitialState = plan.InitialState,
            LastPowerLevels = plan.LastPowerLevels, RoomId = newRoom, CreationContent = CreationContent(create, roomId, tombstone, version, additionalCreators),
        }, ct);
        var reply = await actors.RunAsync(roomId, command);
        if (reply.Error is { } error) throw error.AsException();

        var replacement = command.NewRoom!;
        await aliases.MoveAsync(roomId, replacement, CancellationToken.None);
        await CloseAsync(roomId, userId, state, levels);
        await FollowAsync(userId, roomId, replacement);
        return replacement;
    }

    /// <summary>The room is replaced, whatever becomes of the user's own settings.</summary>
    private async Task FollowAsync(string userId, string roomId, string newRoom)
    {
        try
        {
            await succession.CarryOverAsync(userId, roomId, newRoom, CancellationToken.None);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogNotCarriedOver(log, e, userId, newRoom);
        }
    }

    [LoggerMessage(5040, LogLevel.Warning, "What {UserId} had set for a room was not carried over to {RoomId}, which replaces it")]
    private static partial void LogNotCarriedOver(ILogger log, Exception e, string userId, string roomId);

    private static JsonElement CreationContent(Pdu create, string roomId, string? lastEvent, RoomVersion version, IReadOnlyList<string> additionalCreators)
    {
        using var before = JsonDocument.Parse(create.Content);
        var json = EventContent.Write(w =>
        {
            foreach (var name in (ReadOnlySpan<string>)["type", "m.federate"])
                if (before.RootElement.TryGetProperty(name, out var value)) { w.WritePropertyName(name); value.WriteTo(w); }
            w.WriteStartObject("predecessor");
            w.WriteString("room_id", roomId);
            if (lastEvent is not null) w.WriteString("event_id", lastEvent);
            w.WriteEndObject();
            if (!version.PrivilegedCreators || additionalCreators.Count == 0) return;
            w.WriteStartArray("additional_creators");
            foreach (var user in additionalCreators) w.WriteStringValue(user);
            w.WriteEndArray();
        });
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }

    private static IEnumerable<StateToSet> NewState(Dictionary<StateKey, StoredEvent> state, RoomVersion version, string userId, IReadOnlyList<string> additionalCreators)
    {
        if (state.TryGetValue(new(EventTypes.PowerLevels, ""), out var power))
            yield return new StateToSet(EventTypes.PowerLevels, "", NewLevels(power.Pdu, version, userId, additionalCreators, Needed(power.Pdu, version, userId)));
        foreach (var type in Transferred)
            if (state.TryGetValue(new(type, ""), out var e)) yield return new StateToSet(type, "", e.Pdu.Content.ToArray());
        // Synapse: a space keeps the rooms in it.
        if (state[new(EventTypes.Create, "")].Pdu.ContentString("type"u8) == "m.space")
            foreach (var (key, e) in state)
                if (key.Type == "m.space.child" && CanonicalValue.IsArray(e.Pdu.ContentValue("via"u8))) yield return new StateToSet(key.Type, key.Key, e.Pdu.Content.ToArray());
        // Synapse: who was banned stays so.
        foreach (var (key, e) in state)
            if (key.Type == EventTypes.Member && e.Pdu.Membership == Memberships.Ban) yield return new StateToSet(key.Type, key.Key, e.Pdu.Content.ToArray());
    }

    /// <summary>The level that the user needs to set up the new room; null: he has it.</summary>
    private static long? Needed(Pdu power, RoomVersion version, string userId)
    {
        if (version.PrivilegedCreators) return null;
        using var before = JsonDocument.Parse(power.Content);
        long Level(JsonElement o, string name, long absent) => o.TryGetProperty(name, out var v) && Number(v) is { } n ? n : absent;
        var root = before.RootElement;
        var needed = Math.Max(Level(root, "state_default", 50), Level(root, "ban", 50));
        if (root.TryGetProperty("events", out var events) && events.ValueKind == JsonValueKind.Object)
            foreach (var e in events.EnumerateObject()) needed = Math.Max(needed, Number(e.Value) ?? 0);
        var own = root.TryGetProperty("users", out var users) && users.ValueKind == JsonValueKind.Object
            ? Level(users, userId, Level(root, "users_default", 0)) : Level(root, "users_default", 0);
        return own < needed ? needed : null;
    }

    private static long? Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var n) ? n
        : value.ValueKind == JsonValueKind.String && long.TryParse(value.GetString(), out var text) ? text : null;

    /// <summary>Who had too little power to set up a room gets no more than he had. Null: he had enough, such as a creator of version 12.</summary>
    private static byte[]? LastLevels(
        Dictionary<StateKey, StoredEvent> state, PowerLevels levels, RoomVersion version, string userId, IReadOnlyList<string> additionalCreators) =>
        state.TryGetValue(new(EventTypes.PowerLevels, ""), out var power) && Needed(power.Pdu, version, userId) is { } needed && levels.Of(userId) < needed
            ? NewLevels(power.Pdu, version, userId, additionalCreators, null) : null;

    /// <summary>
    /// The levels of the old room, such that the one who upgrades can set up the new one: creators of version 12 have no level, and its
    /// tombstones are for them.
    /// </summary>
    /// <param name="raised">The level that the user has in them; null: what he had.</param>
    private static byte[] NewLevels(Pdu power, RoomVersion version, string userId, IReadOnlyList<string> additionalCreators, long? raised)
    {
        using var before = JsonDocument.Parse(power.Content);
        return EventContent.Write(w =>
        {
            foreach (var member in before.RootElement.EnumerateObject())
            {
                if (member.Name is "users_default" or "events_default" or "state_default" or "ban" or "kick" or "redact" or "invite") WriteLevel(w, member);
                else if (member.Name == "notifications" && member.Value.ValueKind == JsonValueKind.Object)
                {
                    w.WriteStartObject(member.Name);
                    foreach (var entry in member.Value.EnumerateObject()) WriteLevel(w, entry);
                    w.WriteEndObject();
                }
                else if (member.Name is not ("users" or "events")) member.WriteTo(w);
            }
            w.WriteStartObject("users");
            if (raised is { } level) w.WriteNumber(userId, level);
            if (before.RootElement.TryGetProperty("users", out var users) && users.ValueKind == JsonValueKind.Object)
                foreach (var user in users.EnumerateObject())
                {
                    if (version.PrivilegedCreators && (user.NameEquals(userId) || additionalCreators.Contains(user.Name))) continue;
                    if (raised is null || !user.NameEquals(userId)) WriteLevel(w, user);
                }
            w.WriteEndObject();
            w.WriteStartObject("events");
            if (before.RootElement.TryGetProperty("events", out var events) && events.ValueKind == JsonValueKind.Object)
                foreach (var e in events.EnumerateObject())
                    if (!(version.PrivilegedCreators && e.NameEquals(EventTypes.Tombstone))) WriteLevel(w, e);
            if (version.PrivilegedCreators) w.WriteNumber(EventTypes.Tombstone, 150);
            w.WriteEndObject();
        });
    }

    /// <summary>Old rooms hold levels as strings.</summary>
    private static void WriteLevel(Utf8JsonWriter w, JsonProperty level)
    {
        if (level.Value.ValueKind == JsonValueKind.String && long.TryParse(level.Value.GetString(), out var number)) w.WriteNumber(level.Name, number);
        else level.WriteTo(w);
    }

    private async Task CloseAsync(string roomId, string userId, Dictionary<StateKey, StoredEvent> state, PowerLevels levels)
    {
        // What follows makes the old room quieter, where the user may; the upgrade does not depend on it.
        if (state.ContainsKey(new(EventTypes.CanonicalAlias, "")))
            await actors.RunAsync(roomId, new SendCommand(new EventIntent(EventTypes.CanonicalAlias, "", userId, EventContent.Empty), CancellationToken.None));
        if (state.TryGetValue(new(EventTypes.PowerLevels, ""), out var power))
            await actors.RunAsync(roomId, new SendCommand(new EventIntent(EventTypes.PowerLevels, "", userId, Restricted(power.Pdu, levels)), CancellationToken.None));
    }

    /// <summary>Spec: events_default and invite to the greater of 50 and users_default + 1.</summary>
    private static byte[] Restricted(Pdu power, PowerLevels levels)
    {
        using var before = JsonDocument.Parse(power.Content);
        var usersDefault = before.RootElement.TryGetProperty("users_default", out var d) ? Number(d) ?? 0 : 0;
        var floor = Math.Max(50, usersDefault + 1);
        return EventContent.Write(w =>
        {
            EventContent.CopyMembers(w, before.RootElement, "events_default", "invite");
            w.WriteNumber("events_default", Math.Max(floor, levels.ToSend("m.room.message", isState: false)));
            w.WriteNumber("invite", Math.Max(floor, levels.Invite));
        });
    }
}

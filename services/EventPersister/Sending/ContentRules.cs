using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Aliases;
using Matrix.Storage.Rooms;
using Matrix.Web.Json;

namespace Matrix.EventPersister.Sending;

/// <summary>What a client may not write although the rules of the room would let it pass.</summary>
internal sealed class ContentRules(RoomReader rooms, AliasResolver resolver, ServerIdentity server)
{
    /// <summary>Other servers are asked for so many new aliases of one event.</summary>
    private const int MaxRemoteAliases = 10;

    /// <summary>Throws what the client hears.</summary>
    public async ValueTask CheckAsync(string roomId, string type, string? stateKey, JsonElement content, CancellationToken ct)
    {
        switch (type)
        {
            case EventTypes.Create:
                throw MatrixError.Forbidden("A room has one create event.").AsException();
            case EventTypes.CanonicalAlias when stateKey == "":
                await CheckAliasesAsync(roomId, content, ct);
                break;
            case EventTypes.PowerLevels when stateKey == "":
                CheckPowerLevels(content);
                break;
            case EventTypes.Tombstone when content.StringOrNull("replacement_room") == roomId:
                throw MatrixError.InvalidParam("A room cannot replace itself.").AsException();
            case EventTypes.ServerAcl when stateKey == "":
                CheckAcl(content);
                break;
        }
    }

    /// <summary>New aliases must lead to this room. Spec: openapi/client-server/room_state.yaml (M_BAD_ALIAS, M_INVALID_PARAM)</summary>
    private async Task CheckAliasesAsync(string roomId, JsonElement content, CancellationToken ct)
    {
        var aliases = new HashSet<RoomAlias>();
        if (content.TryGetProperty("alias", out var main) && main.ValueKind != JsonValueKind.Null && !(main.ValueKind == JsonValueKind.String && main.ValueEquals(""))) aliases.Add(AliasOf(main));
        if (content.TryGetProperty("alt_aliases", out var more))
        {
            if (more.ValueKind != JsonValueKind.Array) throw MatrixError.BadJson("alt_aliases must be a list").AsException();
            foreach (var a in more.EnumerateArray()) aliases.Add(AliasOf(a));
        }
        if (aliases.Count == 0) return;
        if (await rooms.FindAsync(roomId, ct) is { } room
            && await rooms.CurrentStateAsync(room.RoomNid, new StateKey(EventTypes.CanonicalAlias, ""), ct) is { } old)
        {
            using var before = JsonDocument.Parse(old.Pdu.Content);
            Known(before.RootElement, aliases);
        }
        var (own, others) = (aliases.Where(resolver.IsOwn), aliases.Where(a => !resolver.IsOwn(a)).ToList());
        if (others.Count > MaxRemoteAliases)
            throw MatrixError.InvalidParam($"More than {MaxRemoteAliases} new aliases of other servers at once.").AsException();
        foreach (var alias in own) await RequireHereAsync(alias, roomId, ct);
        await Task.WhenAll(others.Select(a => RequireHereAsync(a, roomId, ct)));
    }

    /// <summary>An alias whose server does not tell where it leads is not known to lead here.</summary>
    private async Task RequireHereAsync(RoomAlias alias, string roomId, CancellationToken ct)
    {
        if ((await resolver.FindAsync(alias, ct))?.RoomId != roomId)
            throw MatrixError.Custom(400, "M_BAD_ALIAS", $"Room alias {alias} does not point to this room").AsException();
    }

    private static void Known(JsonElement old, HashSet<RoomAlias> aliases)
    {
        if (old.TryGetProperty("alias", out var main) && main.ValueKind == JsonValueKind.String) aliases.Remove(new RoomAlias(main.GetString()!));
        if (!old.TryGetProperty("alt_aliases", out var more) || more.ValueKind != JsonValueKind.Array) return;
        foreach (var a in more.EnumerateArray()) if (a.ValueKind == JsonValueKind.String) aliases.Remove(new RoomAlias(a.GetString()!));
    }

    private static RoomAlias AliasOf(JsonElement value) =>
        value.ValueKind == JsonValueKind.String && RoomAlias.TryParse(value.GetString(), null, out var alias)
            ? alias
            : throw MatrixError.InvalidParam("A canonical alias is no room alias.").AsException();

    /// <summary>Synapse: levels of the wrong type are the client's mistake, not a matter of permission.</summary>
    private static void CheckPowerLevels(JsonElement content)
    {
        foreach (var member in content.EnumerateObject())
        {
            switch (member.Name)
            {
                case "users_default" or "events_default" or "state_default" or "ban" or "redact" or "kick" or "invite":
                    CheckLevel(member.Name, member.Value);
                    break;
                case "users" or "events" or "notifications":
                    if (member.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson($"'{member.Name}' must be an object").AsException();
                    foreach (var entry in member.Value.EnumerateObject()) CheckLevel($"{member.Name}.{entry.Name}", entry.Value);
                    break;
            }
        }
    }

    private static void CheckLevel(string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetInt64(out var level) || Math.Abs(level) > CanonicalJson.MaxInteger)
            throw MatrixError.BadJson($"'{name}' must be an integer").AsException();
    }

    /// <summary>Synapse: nobody shuts his own server out by mistake.</summary>
    private void CheckAcl(JsonElement content)
    {
        foreach (var name in (ReadOnlySpan<string>)["allow", "deny"])
            if (content.TryGetProperty(name, out var list) && list.ValueKind != JsonValueKind.Array)
                throw MatrixError.BadJson("Server lists of an ACL must be arrays").AsException();
        if (CanonicalJson.ToArray(System.Text.Encoding.UTF8.GetBytes(content.GetRawText()), out _, strict: false) is { } canonical
            && !ServerAcl.Read(canonical).Allows(server.ServerName))
            throw MatrixError.BadJson("Can't create an ACL event that denies the local server").AsException();
    }
}

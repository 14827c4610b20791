using System.Collections.Concurrent;
using Matrix.Crypto;
using Matrix.FederationClient.Rooms;
using Matrix.Primitives;

namespace Matrix.Rooms.Spaces;

/// <summary>A room as another server describes it.</summary>
/// <param name="Children">Rooms in it that the server knows, without their memberships.</param>
/// <param name="Inaccessible">Rooms in it that nobody here may enter.</param>
public sealed record RemoteSpace(SpaceRoom Room, IReadOnlyDictionary<string, SpaceRoom> Children, IReadOnlySet<string> Inaccessible);

/// <summary>
/// Rooms that this server is not in, as others describe them. What was told is believed for some minutes: a hierarchy is read page by page. Who may see
/// it is for the caller to judge. Spec: server-server-api/#spaces
/// </summary>
public sealed class RemoteSpaces(IRemoteRooms remote, ServerIdentity identity, TimeProvider clock)
{
    private const int MaxServers = 3, MaxHeld = 500, MaxChildren = 1_000;
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    private readonly ConcurrentDictionary<(string RoomId, bool SuggestedOnly), (long At, RemoteSpace Space)> held = new();

    /// <summary>Null: none of the first few servers tells.</summary>
    public async Task<RemoteSpace?> FindAsync(string roomId, IEnumerable<string> via, bool suggestedOnly, CancellationToken ct)
    {
        var key = (roomId, suggestedOnly);
        if (held.TryGetValue(key, out var known) && clock.GetElapsedTime(known.At) < Lifetime) return known.Space;
        RemoteSpace? space = null;
        foreach (var server in via.Where(s => s != identity.ServerName && ServerName.TryParse(s, null, out _)).Distinct(StringComparer.Ordinal).Take(MaxServers))
        {
            if (await remote.GetHierarchyAsync(server, roomId, suggestedOnly, ct) is { } json && (space = Read(json.Span, roomId, suggestedOnly)) is not null) break;
        }
        // That nobody told is not kept: the next may name other servers.
        if (space is null) return null;
        if (held.Count >= MaxHeld) held.Clear();
        held[key] = (clock.GetTimestamp(), space);
        return space;
    }

    /// <summary>Null: it is about another room.</summary>
    private static RemoteSpace? Read(ReadOnlySpan<byte> json, string roomId, bool suggestedOnly)
    {
        var o = new CanonicalObject(json);
        if (!o.TryGet("room"u8, out var room) || ReadRoom(room, suggestedOnly) is not { } described || described.Summary.RoomId != roomId) return null;
        var children = new Dictionary<string, SpaceRoom>(StringComparer.Ordinal);
        var inaccessible = new HashSet<string>(StringComparer.Ordinal);
        if (o.TryGet("children"u8, out var list))
            foreach (var element in new CanonicalArray(list))
                if (children.Count < MaxChildren && ReadRoom(element, suggestedOnly) is { } child) children[child.Summary.RoomId] = child;
        if (o.TryGet("inaccessible_children"u8, out var closed))
            foreach (var element in new CanonicalArray(closed))
                if (inaccessible.Count < MaxChildren && CanonicalValue.String(element) is { } id) inaccessible.Add(id);
        return new RemoteSpace(described, children, inaccessible);
    }

    private static SpaceRoom? ReadRoom(ReadOnlySpan<byte> json, bool suggestedOnly)
    {
        if (RoomSummary.Read(json) is not { } summary) return null;
        var children = new List<SpaceChild?>();
        if (new CanonicalObject(json).TryGet("children_state"u8, out var list))
            foreach (var element in new CanonicalArray(list)) if (children.Count < MaxChildren) children.Add(SpaceChild.Read(element));
        return new SpaceRoom(summary, SpaceChild.InOrder(children, suggestedOnly));
    }
}

using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Spaces;

namespace Matrix.ClientApi.Spaces;

/// <summary>A room of a space tree with its valid children, in their order.</summary>
internal sealed record SpaceRoom(RoomSummary Summary, IReadOnlyList<StoredEvent> Children);

/// <summary>Walks spaces. Spec: client-server-api/#querying-spaces, #ordering-of-children-within-a-space</summary>
internal sealed class SpaceTree(RoomSummaries summaries, RoomFactsReader facts)
{
    private const int MaxDepth = 20;
    /// <summary>Rooms of one tree that are looked at.</summary>
    private const int MaxRooms = 5_000;

    /// <summary>
    /// Depth first, each room once, the root first; empty when the user may not see the root. Levels are read together, so a tree costs five queries a
    /// level.
    /// </summary>
    public async Task<List<SpaceRoom>> WalkAsync(string root, string userId, int? maxDepth, bool suggestedOnly, CancellationToken ct)
    {
        var found = new Dictionary<string, SpaceRoom>(StringComparer.Ordinal);
        var level = new List<string> { root };
        var seen = new HashSet<string>(level, StringComparer.Ordinal);
        for (var depth = 0; level.Count > 0 && depth <= Math.Min(maxDepth ?? MaxDepth, MaxDepth); depth++)
        {
            var rooms = await summaries.VisibleAsync(level, userId, ct);
            var spaces = rooms.FindAll(r => r.IsSpace);
            var children = (await facts.ChildrenAsync(spaces.ConvertAll(s => s.Facts.RoomNid), ct)).ToLookup(e => e.RoomNid);
            foreach (var room in rooms) found[room.RoomId] = new SpaceRoom(room, Ordered(children[room.Facts.RoomNid], suggestedOnly));
            level = [];
            foreach (var room in rooms)
                foreach (var child in found[room.RoomId].Children)
                    if (seen.Count < MaxRooms && seen.Add(child.Pdu.StateKey!)) level.Add(child.Pdu.StateKey!);
        }
        return DepthFirst(root, found, maxDepth ?? MaxDepth);
    }

    /// <summary>With a stack: trees are as deep as their authors like.</summary>
    private static List<SpaceRoom> DepthFirst(string root, Dictionary<string, SpaceRoom> found, int maxDepth)
    {
        var order = new List<SpaceRoom>(found.Count);
        var done = new HashSet<string>(StringComparer.Ordinal);
        var stack = new Stack<(string RoomId, int Depth)>();
        stack.Push((root, 0));
        while (stack.TryPop(out var next))
        {
            if (!found.TryGetValue(next.RoomId, out var room) || !done.Add(next.RoomId)) continue;
            order.Add(room);
            if (next.Depth >= maxDepth) continue;
            for (var i = room.Children.Count - 1; i >= 0; i--) stack.Push((room.Children[i].Pdu.StateKey!, next.Depth + 1));
        }
        return order;
    }

    private static List<StoredEvent> Ordered(IEnumerable<StoredEvent> children, bool suggestedOnly) =>
    [
        .. children.Where(e => IsValid(e.Pdu) && (!suggestedOnly || e.Pdu.ContentValue("suggested"u8).SequenceEqual("true"u8)))
            .Select(e => (Event: e, Order: OrderOf(e.Pdu)))
            .OrderBy(c => c.Order is null).ThenBy(c => c.Order, StringComparer.Ordinal)
            .ThenBy(c => c.Event.Pdu.OriginServerTs).ThenBy(c => c.Event.Pdu.StateKey, StringComparer.Ordinal).Select(c => c.Event),
    ];

    /// <summary>A child without servers to reach it by has been taken away.</summary>
    private static bool IsValid(Pdu e)
    {
        if (e.StateKey is not ['!', ..]) return false;
        foreach (var element in new CanonicalArray(e.ContentValue("via"u8))) return CanonicalValue.IsString(element);
        return false;
    }

    private static string? OrderOf(Pdu e) =>
        e.ContentString("order"u8) is { Length: <= 50 } order && order.All(c => c is >= '\x20' and <= '\x7E') ? order : null;
}

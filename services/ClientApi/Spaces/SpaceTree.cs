using Matrix.Rooms.Spaces;
using Matrix.Storage.Spaces;

namespace Matrix.ClientApi.Spaces;

/// <summary>Walks spaces. Spec: client-server-api/#querying-spaces</summary>
internal sealed class SpaceTree(RoomSummaries summaries, RoomFactsReader facts, RemoteSpaces remote)
{
    private const int MaxDepth = 20;
    /// <summary>Rooms of one tree that are looked at, and those of them that other servers are asked for, some at a time.</summary>
    private const int MaxRooms = 5_000, MaxRemote = 40, MaxAtOnce = 8;

    /// <summary>
    /// Depth first, each room once, the root first; empty when the user may not see the root. Levels are read together, so a tree costs five queries a
    /// level; what is not here is asked of the servers that its parent names.
    /// </summary>
    public async Task<List<SpaceRoom>> WalkAsync(string root, string userId, int? maxDepth, bool suggestedOnly, CancellationToken ct)
    {
        var found = new Dictionary<string, SpaceRoom>(StringComparer.Ordinal);
        var told = new Dictionary<string, SpaceRoom>(StringComparer.Ordinal);
        var closed = new HashSet<string>(StringComparer.Ordinal);
        var level = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { [root] = ServersOf(root) };
        var seen = new HashSet<string>(StringComparer.Ordinal) { root };
        var asked = 0;
        for (var depth = 0; level.Count > 0 && depth <= Math.Min(maxDepth ?? MaxDepth, MaxDepth); depth++)
        {
            var known = await summaries.OfAsync(level.Keys, userId, ct);
            var here = known.FindAll(r => r.HasState);
            var spaces = here.FindAll(r => r.IsSpace);
            var children = (await facts.ChildrenAsync(spaces.ConvertAll(s => s.RoomNid), ct)).ToLookup(e => e.RoomNid);
            var rooms = here.ToDictionary(r => r.RoomId, r => new SpaceRoom(r, SpaceChild.InOrder(children[r.RoomNid].Select(SpaceChild.Of), suggestedOnly)), StringComparer.Ordinal);

            var away = level.Keys.Where(id => !rooms.ContainsKey(id) && !closed.Contains(id)).ToList();
            // A child that is a space was told without what is in it, unless its own children came along.
            var questions = away.Where(id => !told.TryGetValue(id, out var t) || (t.Summary.IsSpace && t.Children.Count == 0)).Take(MaxRemote - asked).ToList();
            asked += questions.Count;
            await Parallel.ForEachAsync(questions, new ParallelOptions { MaxDegreeOfParallelism = MaxAtOnce, CancellationToken = ct }, async (id, token) =>
            {
                if (await remote.FindAsync(id, level[id], suggestedOnly, token) is not { } space) return;
                lock (told)
                {
                    told[id] = space.Room;
                    foreach (var (childId, child) in space.Children) told.TryAdd(childId, child);
                    closed.UnionWith(space.Inaccessible);
                }
            });
            var memberships = known.ToDictionary(r => r.RoomId, r => r.Membership, StringComparer.Ordinal);
            foreach (var id in away)
                if (told.TryGetValue(id, out var t)) rooms[id] = t with { Summary = t.Summary.For(memberships.GetValueOrDefault(id)) };

            level = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
            foreach (var summary in await summaries.VisibleAsync([.. rooms.Values.Select(r => r.Summary)], userId, ct))
            {
                var room = found[summary.RoomId] = rooms[summary.RoomId];
                foreach (var child in room.Children) if (seen.Count < MaxRooms && seen.Add(child.RoomId)) level.Add(child.RoomId, child.Via);
            }
        }
        return DepthFirst(root, found, maxDepth ?? MaxDepth);
    }

    /// <summary>Whom to ask for a room that nothing is known of: the server that its id names.</summary>
    public static IReadOnlyList<string> ServersOf(string roomId) => roomId.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon ? [roomId[(colon + 1)..]] : [];

    /// <summary>With a stack: trees are as deep as their authors like.</summary>
    private static List<SpaceRoom> DepthFirst(string root, Dictionary<string, SpaceRoom> found, int maxDepth)
    {
        var order = new List<SpaceRoom>(found.Count);
        // At the least depth so far: what was too deep for its children may be nearer by another way.
        var depths = new Dictionary<string, int>(StringComparer.Ordinal);
        var stack = new Stack<(string RoomId, int Depth)>();
        stack.Push((root, 0));
        while (stack.TryPop(out var next))
        {
            if (!found.TryGetValue(next.RoomId, out var room)) continue;
            var isKnown = depths.TryGetValue(next.RoomId, out var depth);
            if (isKnown && depth <= next.Depth) continue;
            depths[next.RoomId] = next.Depth;
            if (!isKnown) order.Add(room);
            if (next.Depth >= maxDepth) continue;
            for (var i = room.Children.Count - 1; i >= 0; i--) stack.Push((room.Children[i].RoomId, next.Depth + 1));
        }
        return order;
    }
}

using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Push;
using Matrix.Storage.Relations;
using Matrix.Storage.Rooms;

namespace Matrix.ClientApi.Notifications;

/// <summary>What the events of a room are judged by for one user, as the room is now.</summary>
/// <param name="JoinedPosition">Where his present stay began; 0: it is not known, or he is not joined.</param>
/// <param name="Read">How far he has read, by thread; empty: all of them.</param>
internal sealed record NotificationRoom(PowerLevels Levels, long MemberCount, string? DisplayName, long JoinedPosition, IReadOnlyDictionary<string, long> Read)
{
    public bool HasRead(string thread, long position) => position <= Math.Max(Read.GetValueOrDefault(""), Read.GetValueOrDefault(thread));
}

/// <summary>Reads rooms for a page of notifications: all rooms at once, so a page costs the same statements for one room as for many.</summary>
internal sealed class NotificationRooms(RoomReader rooms, EventReader events, NotificationReader reader, ThreadReader threads)
{
    /// <summary>Changes of name since the join that are followed; an older stay counts as begun there.</summary>
    private const int MaxSteps = 20;
    private static readonly StateKey Create = new(EventTypes.Create, "");
    private static readonly StateKey Levels = new(EventTypes.PowerLevels, "");

    /// <summary>Adds the rooms that are not known yet.</summary>
    public async Task LoadAsync(UserId user, IEnumerable<long> roomNids, Dictionary<long, NotificationRoom> known, CancellationToken ct)
    {
        var missing = roomNids.Where(n => !known.ContainsKey(n)).Distinct().ToList();
        if (missing.Count == 0) return;
        var member = new StateKey(EventTypes.Member, user.Value);
        var state = (await rooms.CurrentStateAsync(missing, [Create, Levels, member], ct)).ToLookup(e => e.RoomNid);
        var counts = await reader.CountJoinedAsync(missing, ct);
        var joined = await JoinedPositionsAsync(state.SelectMany(s => s).Where(e => e.Pdu.Type == EventTypes.Member), ct);
        var receipts = (await reader.ReceiptsAsync(user.Value, [.. state.Select(s => s.First().Pdu.RoomId)], ct)).ToLookup(r => r.RoomId, StringComparer.Ordinal);
        foreach (var room in state)
        {
            Pdu? Find(string type) => room.FirstOrDefault(e => e.Pdu.Type == type)?.Pdu;
            if (Find(EventTypes.Create) is not { } create) continue;
            known[room.Key] = new NotificationRoom(
                PowerLevels.Read(create, Find(EventTypes.PowerLevels)), counts.GetValueOrDefault(room.Key), Find(EventTypes.Member)?.ContentString("displayname"u8),
                joined.GetValueOrDefault(room.Key), receipts[create.RoomId].ToDictionary(r => r.ThreadId, r => r.Position, StringComparer.Ordinal));
        }
    }

    /// <summary>The threads that those events belong to, as receipts name them.</summary>
    public async Task<List<string>> ThreadsAsync(List<StoredEvent> of, CancellationToken ct) =>
        [.. (await threads.RootsAsync(of.ConvertAll(e => (e.RoomNid, EventRelation.Read(e.Pdu))), ct)).Select(root => root ?? ThreadWalk.Main)];

    /// <summary>A new name or picture is a member event too: back to the one before which he was not joined.</summary>
    private async Task<Dictionary<long, long>> JoinedPositionsAsync(IEnumerable<StoredEvent> members, CancellationToken ct)
    {
        var positions = new Dictionary<long, long>();
        var open = members.Where(e => e.Pdu.Membership == Memberships.Join).ToList();
        for (var step = 0; step < MaxSteps && open.Count > 0; step++)
        {
            foreach (var e in open) if (e.Position is { } position) positions[e.RoomNid] = position;
            var before = open.FindAll(e => e.ReplacesEventId is not null && IsJoin(e.PrevContent)).ConvertAll(e => e.ReplacesEventId!);
            open = before.Count == 0 ? [] : [.. (await events.ByIdsAsync(before, ct)).DistinctBy(e => e.EventNid)];
        }
        return positions;
    }

    private static bool IsJoin(ReadOnlyMemory<byte> content) => !content.IsEmpty && new CanonicalObject(content.Span).GetString("membership"u8) == Memberships.Join;
}

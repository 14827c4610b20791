using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.Storage.Sync;

// Whole rooms, and what of them is older than that.
public sealed partial class SyncReader
{
    /// <summary>Behind the columns of an event: whether others relate to it.</summary>
    private const int RelatedColumn = 15;

    /// <summary>Newest positions of rooms. All of them are in the answer.</summary>
    public async Task<List<RoomActivity>> ActivityAsync(IReadOnlyList<(long Nid, string Id)> rooms, CancellationToken ct)
    {
        var activity = new List<RoomActivity>(rooms.Count);
        if (rooms.Count == 0) return activity;
        await using var command = Command(SqlActivity, rooms.Select(r => r.Nid).ToArray(), rooms.Select(r => r.Id).ToArray());
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) activity.Add(new(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2)));
        return activity;
    }

    /// <summary>Whole rooms with their newest <paramref name="timeline"/> events, as of one position of stream events.</summary>
    public Task<RoomsLoad> LoadRoomsAsync(IReadOnlyCollection<long> roomNids, int timeline, CancellationToken ct) => InSnapshotAsync(async batch =>
    {
        var nids = roomNids as long[] ?? [.. roomNids];
        Add(batch, SqlEventsPosition);
        Add(batch, SqlRooms, nids);
        Add(batch, SqlLatest, nids, timeline + 1);
        Add(batch, SqlState, nids);
        Add(batch, SqlMembers, nids);
        var rooms = new Dictionary<long, RoomLoad>(nids.Length);
        await using var r = await batch.ExecuteReaderAsync(ct);
        await r.ReadAsync(ct);
        var position = r.GetInt64(0);
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct)) rooms[r.GetInt64(0)] = new(r.GetString(1), [], true, [], []);
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var e = StoredEventSql.Read(r);
            if (!rooms.TryGetValue(e.RoomNid, out var room)) continue;
            room.Timeline.Add(e);
            if (r.GetBoolean(RelatedColumn)) room.Related.Add(e.Pdu.EventId);
        }
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct))
            if (StoredEventSql.Read(r) is var e && rooms.TryGetValue(e.RoomNid, out var room)) room.State.Add(e);
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct))
            if (rooms.TryGetValue(r.GetInt64(0), out var room)) room.Members.Add(new(r.GetString(1), r.GetString(2), r.GetInt64(3), r.GetInt64(4)));
        foreach (var (nid, room) in rooms)
        {
            if (room.Timeline.Count <= timeline) continue;
            room.Timeline.RemoveAt(0);
            rooms[nid] = room with { IsWhole = false };
        }
        return new RoomsLoad(position, rooms);
    }, ct);

    /// <summary>Timeline events of each range, ascending; the newest <paramref name="limit"/> of a room when there are more. Rooms without are omitted.</summary>
    public async Task<Dictionary<long, TimelineLoad>> TimelinesAsync(IReadOnlyCollection<TimelineRange> ranges, int limit, CancellationToken ct)
    {
        var rooms = new Dictionary<long, TimelineLoad>(ranges.Count);
        if (ranges.Count == 0) return rooms;
        await using var command = Command(
            SqlTimelines, ranges.Select(t => t.RoomNid).ToArray(), ranges.Select(t => t.After).ToArray(), ranges.Select(t => t.UpTo).ToArray(), limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var e = StoredEventSql.Read(r);
            if (!rooms.TryGetValue(e.RoomNid, out var room)) rooms[e.RoomNid] = room = new();
            room.Events.Add(e);
            if (r.GetBoolean(RelatedColumn)) room.Related.Add(e.Pdu.EventId);
        }
        return rooms;
    }

    /// <summary>Snapshots of the state after the newest timeline event of each room at or before that position; places without are omitted.</summary>
    public async Task<Dictionary<RoomPosition, long>> SnapshotsAtAsync(IReadOnlyCollection<RoomPosition> places, CancellationToken ct)
    {
        var snapshots = new Dictionary<RoomPosition, long>(places.Count);
        if (places.Count == 0) return snapshots;
        await using var command = Command(SqlSnapshotsAt, places.Select(p => p.RoomNid).ToArray(), places.Select(p => p.Position).ToArray());
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) snapshots[new(r.GetInt64(0), r.GetInt64(1))] = r.GetInt64(2);
        return snapshots;
    }

    /// <summary>What else of the current state changed with those events.</summary>
    public async Task<List<StateMoveRecord>> StateMovesAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct)
    {
        var moves = new List<StateMoveRecord>();
        if (eventNids.Count == 0) return moves;
        await using var command = Command(SqlStateMoves, [eventNids.ToArray()]);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) moves.Add(new(r.GetInt64(0), new(r.GetString(1), r.GetString(2)), r.GetInt64(3), r.GetInt64(4)));
        return moves;
    }

    /// <summary>Types and state keys by their nids.</summary>
    public async Task<Dictionary<long, StateKey>> StateKeysAsync(IReadOnlyCollection<long> keyNids, CancellationToken ct)
    {
        var keys = new Dictionary<long, StateKey>(keyNids.Count);
        if (keyNids.Count == 0) return keys;
        await using var command = Command(SqlStateKeys, [keyNids.ToArray()]);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) keys[r.GetInt64(0)] = new(r.GetString(1), r.GetString(2));
        return keys;
    }

    /// <summary>Positions of the newest event of such a type in each room, among its last 500; rooms without are omitted.</summary>
    public async Task<Dictionary<long, long>> LastOfTypesAsync(IReadOnlyCollection<long> roomNids, IReadOnlyCollection<string> types, CancellationToken ct)
    {
        var positions = new Dictionary<long, long>(roomNids.Count);
        if (roomNids.Count == 0) return positions;
        await using var command = Command(SqlLastOfTypes, roomNids.ToArray(), types.ToArray());
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) positions[r.GetInt64(0)] = r.GetInt64(1);
        return positions;
    }
}

using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Events;

public sealed partial class EventReader
{
    internal const string SqlByIds = Columns + "from events e left join event_stream s on s.event_nid = e.event_nid" + Joins + "where e.event_id = any($1)";
    internal const string SqlByNids = Columns + "from events e left join event_stream s on s.event_nid = e.event_nid" + Joins + "where e.event_nid = any($1)";
    internal const string SqlTimelineForwards = Columns +
        "from event_stream s join events e on e.event_nid = s.event_nid" + Joins +
        "where s.room_nid = $1 and s.pos > $2 and s.pos <= $3 and e.flags & 7 = 0 order by s.pos asc limit $4";
    internal const string SqlTimelineBackwards = Columns +
        "from event_stream s join events e on e.event_nid = s.event_nid" + Joins +
        "where s.room_nid = $1 and s.pos > $2 and s.pos <= $3 and e.flags & 7 = 0 order by s.pos desc limit $4";
    internal const string SqlLatestOfRooms = Columns +
        """
        from unnest($1::bigint[]) as q(room_nid)
        cross join lateral (
            select l.pos, l.event_nid from event_stream l join events le on le.event_nid = l.event_nid
            where l.room_nid = q.room_nid and l.pos > $2 and l.pos <= $3 and le.flags & 7 = 0
            order by l.pos desc limit $4) s
        join events e on e.event_nid = s.event_nid
        """ + Joins + "order by s.pos asc";

    public async partial Task<List<StoredEvent>> ByIdsAsync(IReadOnlyCollection<string> eventIds, CancellationToken ct)
    {
        if (eventIds.Count == 0) return [];
        await using var command = database.Source.CreateCommand(SqlByIds);
        command.Parameters.AddWithValue(eventIds as string[] ?? [.. eventIds]);
        return await ReadAllAsync(command, ct);
    }

    public async partial Task<List<StoredEvent>> ByNidsAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct)
    {
        if (eventNids.Count == 0) return [];
        await using var command = database.Source.CreateCommand(SqlByNids);
        command.Parameters.AddWithValue(eventNids as long[] ?? [.. eventNids]);
        return await ReadAllAsync(command, ct);
    }

    public async partial Task<List<StoredEvent>> TimelineAsync(long roomNid, long after, long upTo, bool backwards, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(backwards ? SqlTimelineBackwards : SqlTimelineForwards);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(after);
        command.Parameters.AddWithValue(upTo);
        command.Parameters.AddWithValue(limit);
        return await ReadAllAsync(command, ct);
    }

    public async partial Task<Dictionary<long, List<StoredEvent>>> LatestOfRoomsAsync(
        IReadOnlyCollection<long> roomNids, long after, long upTo, int limit, CancellationToken ct)
    {
        var rooms = new Dictionary<long, List<StoredEvent>>();
        if (roomNids.Count == 0) return rooms;
        await using var command = database.Source.CreateCommand(SqlLatestOfRooms);
        command.Parameters.AddWithValue(roomNids as long[] ?? [.. roomNids]);
        command.Parameters.AddWithValue(after);
        command.Parameters.AddWithValue(upTo);
        command.Parameters.AddWithValue(limit);
        foreach (var e in await ReadAllAsync(command, ct))
        {
            if (!rooms.TryGetValue(e.RoomNid, out var list)) rooms[e.RoomNid] = list = [];
            list.Add(e);
        }
        return rooms;
    }
}

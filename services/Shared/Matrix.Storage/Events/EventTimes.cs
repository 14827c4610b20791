using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Events;

/// <summary>A point between events ordered by their own time, then by position in stream events.</summary>
public readonly record struct EventTime(long OriginServerTs, long Position);

/// <summary>Finds events by origin_server_ts.</summary>
public sealed class EventTimes(Database database)
{
    private const string From = Columns + "from events e join event_stream s on s.event_nid = e.event_nid" + Joins + "where e.room_nid = $1 and s.pos <= $4 and e.flags & 7 = 0";
    internal const string SqlAfter = From + " and e.origin_server_ts >= $2 and (e.origin_server_ts, s.pos) > ($2, $3) order by e.origin_server_ts, s.pos limit $5";
    internal const string SqlBefore = From + " and e.origin_server_ts <= $2 and (e.origin_server_ts, s.pos) < ($2, $3) order by e.origin_server_ts desc, s.pos desc limit $5";

    internal const string SqlHasGap =
        """
        select exists (select 1 from missing_parents m join events e on e.event_nid = m.child_nid where m.room_nid = $1 and e.origin_server_ts >= $2)
        """;

    /// <summary>Whether parents of an event from that time or later are not here.</summary>
    public async Task<bool> HasGapAsync(long roomNid, long sinceTsMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlHasGap);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(sinceTsMs);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Timeline events after that point (before it when <paramref name="backwards"/>), nearest first, none at positions after <paramref name="upTo"/>.</summary>
    public async Task<List<StoredEvent>> NearestAsync(long roomNid, EventTime from, long upTo, bool backwards, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(backwards ? SqlBefore : SqlAfter);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(from.OriginServerTs);
        command.Parameters.AddWithValue(from.Position);
        command.Parameters.AddWithValue(upTo);
        command.Parameters.AddWithValue(limit);
        return await ReadAllAsync(command, ct);
    }
}

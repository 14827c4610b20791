using Matrix.Events;
using Matrix.Storage.AccountData;
using Matrix.Storage.Events;
using Npgsql;
using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Rooms;

/// <summary>How a user stands to a room now: what decides on what he may see of it.</summary>
/// <param name="Member">Null: never was a member.</param>
/// <param name="Visibility">The room's m.room.history_visibility; null: none.</param>
/// <param name="Retention">The room's m.room.retention; null: none.</param>
public sealed record RoomStanding(long RoomNid, MembershipRecord? Member, StoredEvent? Visibility, StoredEvent? Retention);

/// <param name="Rooms">By room id; rooms that are not known are omitted.</param>
/// <param name="Ignored">Users whom he ignores.</param>
public sealed record Standings(IReadOnlyDictionary<string, RoomStanding> Rooms, IReadOnlySet<string> Ignored);

public sealed partial class RoomReader
{
    internal const string SqlStandings =
        """
        select r.room_nid, r.room_id, m.user_id, m.membership, m.event_nid, m.pos, m.sender, m.forgotten
        from rooms r left join room_memberships m on m.room_nid = r.room_nid and m.user_id = $2 where r.room_id = any($1)
        """;
    internal const string SqlHistoryRules = Columns + FromCurrent + Joins +
        """
        where c.room_nid = any(array(select o.room_nid from rooms o where o.room_id = any($1)))
          and c.state_key_nid = any(array(select k.state_key_nid from state_keys k where k.type in ('m.room.history_visibility', 'm.room.retention') and k.state_key = ''))
        """;

    /// <summary>One round trip, however many rooms.</summary>
    public async Task<Standings> StandingsAsync(IReadOnlyCollection<string> roomIds, string userId, CancellationToken ct)
    {
        var ids = roomIds as string[] ?? [.. roomIds];
        await using var batch = database.Source.CreateBatch();
        Add(SqlStandings, ids, userId);
        Add(SqlHistoryRules, (object)ids);
        Add(AccountDataStore.SqlGet, userId, "", IgnoredUsers.Type);
        var rooms = new Dictionary<string, RoomStanding>(ids.Length, StringComparer.Ordinal);
        await using var r = await batch.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var member = r.IsDBNull(2) ? null
                : new MembershipRecord(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetInt64(4), r.GetInt64(5), r.GetString(6), r.GetBoolean(7));
            rooms[r.GetString(1)] = new RoomStanding(r.GetInt64(0), member, null, null);
        }
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var e = Read(r);
            if (rooms.TryGetValue(e.Pdu.RoomId, out var room))
                rooms[e.Pdu.RoomId] = e.Pdu.Type == EventTypes.HistoryVisibility ? room with { Visibility = e } : room with { Retention = e };
        }
        await r.NextResultAsync(ct);
        var ignored = await r.ReadAsync(ct) ? r.GetFieldValue<byte[]>(0) : null;
        return new Standings(rooms, IgnoredUsers.Read(ignored));

        void Add(string sql, params ReadOnlySpan<object> values)
        {
            var command = new NpgsqlBatchCommand(sql);
            foreach (var v in values) command.Parameters.AddWithValue(v);
            batch.BatchCommands.Add(command);
        }
    }
}

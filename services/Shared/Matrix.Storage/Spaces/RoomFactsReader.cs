using Matrix.Events;
using Matrix.Storage.Events;
using Npgsql;
using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Spaces;

/// <summary>A room with what current state does not tell.</summary>
/// <param name="Membership">Of the user asked for; null: none.</param>
public sealed record RoomFacts(long RoomNid, string RoomId, RoomVersion Version, bool IsPublic, long JoinedMembers, string? Membership);

/// <summary>Reads what spaces and summaries say of many rooms at once.</summary>
public sealed class RoomFactsReader(Database database)
{
    internal const string SqlFacts =
        """
        select r.room_nid, r.room_id, r.version, r.is_public,
            (select count(*) from room_memberships m where m.room_nid = r.room_nid and m.membership = 'join'),
            (select m.membership from room_memberships m where m.room_nid = r.room_nid and m.user_id = $2)
        from rooms r where r.room_id = any($1)
        """;
    internal const string SqlChildren = Columns +
        "from current_state c join state_keys k on k.state_key_nid = c.state_key_nid join events e on e.event_nid = c.event_nid left join event_stream s on s.event_nid = e.event_nid" +
        Joins + "where c.room_nid = any($1) and k.type = 'm.space.child'";
    internal const string SqlJoinedOf =
        """
        select r.room_id from room_memberships m join rooms r on r.room_nid = m.room_nid
        where m.user_id = $1 and m.membership = 'join' and r.room_id = any($2)
        """;
    internal const string SqlMutual =
        """
        select r.room_id from room_memberships a join room_memberships b on b.room_nid = a.room_nid join rooms r on r.room_nid = a.room_nid
        where a.user_id = $1 and a.membership = 'join' and b.user_id = $2 and b.membership = 'join' order by r.room_id
        """;

    /// <summary>Rooms that are not known are omitted.</summary>
    /// <param name="userId">Null: nobody's memberships.</param>
    public async Task<List<RoomFacts>> OfAsync(IReadOnlyCollection<string> roomIds, string? userId, CancellationToken ct)
    {
        var facts = new List<RoomFacts>(roomIds.Count);
        if (roomIds.Count == 0) return facts;
        await using var command = database.Source.CreateCommand(SqlFacts);
        command.Parameters.AddWithValue(roomIds.ToArray());
        command.Parameters.Add(StoreParameters.Text(userId));
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var version = RoomVersions.Find(r.GetString(2))
                ?? throw new InvalidDataException($"Room version '{r.GetString(2)}' in the database is not known to this release.");
            facts.Add(new(r.GetInt64(0), r.GetString(1), version, r.GetBoolean(3), r.GetInt64(4), r.IsDBNull(5) ? null : r.GetString(5)));
        }
        return facts;
    }

    /// <summary>The m.space.child events of those rooms.</summary>
    public async Task<List<StoredEvent>> ChildrenAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct)
    {
        if (roomNids.Count == 0) return [];
        await using var command = database.Source.CreateCommand(SqlChildren);
        command.Parameters.AddWithValue(roomNids.ToArray());
        return await ReadAllAsync(command, ct);
    }

    /// <summary>Those of the rooms that the user is joined to.</summary>
    public async Task<HashSet<string>> JoinedOfAsync(string userId, IReadOnlyCollection<string> roomIds, CancellationToken ct)
    {
        if (roomIds.Count == 0) return [];
        await using var command = database.Source.CreateCommand(SqlJoinedOf);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(roomIds.ToArray());
        return [.. await TextsAsync(command, ct)];
    }

    /// <summary>Rooms that both are joined to, by id.</summary>
    public async Task<List<string>> MutualAsync(string userId, string otherId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMutual);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(otherId);
        return await TextsAsync(command, ct);
    }

    private static async Task<List<string>> TextsAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var texts = new List<string>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) texts.Add(r.GetString(0));
        return texts;
    }
}

using Npgsql;

namespace Matrix.Storage.Federation;

/// <summary>Users of other servers in rooms.</summary>
public sealed class ServerMembers(Database database)
{
    internal const string SqlIsInRoom =
        "select exists (select 1 from room_memberships where room_nid = $1 and membership = 'join' and right(user_id, length($2) + 1) = ':' || $2)";
    internal const string SqlOfServer = "select user_id from room_memberships where room_nid = $1 and right(user_id, length($2) + 1) = ':' || $2";

    internal const string SqlOthers =
        """
        select server from (select substring(user_id from position(':' in user_id) + 1) as server from room_memberships where room_nid = $1 and membership = 'join') m
        where server <> $2 group by server order by count(*) desc, server limit $3
        """;

    internal const string SqlRoomsOf =
        """
        select r.room_id, m.membership from rooms r join room_memberships m using (room_nid)
        where r.room_id = any($1) and m.membership in ('join', 'invite') and right(m.user_id, length($2) + 1) = ':' || $2 group by 1, 2
        """;

    /// <summary>Those of the rooms in which users of that server are, and those to which some are invited.</summary>
    public async Task<(HashSet<string> Joined, HashSet<string> Invited)> RoomsOfAsync(string server, IReadOnlyCollection<string> roomIds, CancellationToken ct)
    {
        var (joined, invited) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        await using var command = database.Source.CreateCommand(SqlRoomsOf);
        command.Parameters.AddWithValue(roomIds.ToArray());
        command.Parameters.AddWithValue(server);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) (r.GetString(1) == "join" ? joined : invited).Add(r.GetString(0));
        return (joined, invited);
    }

    /// <summary>Other servers in a room, those with the most members first.</summary>
    public async Task<List<string>> OthersAsync(long roomNid, string own, int limit, CancellationToken ct)
    {
        var servers = new List<string>();
        await using var command = Command(SqlOthers, roomNid, own);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) servers.Add(r.GetString(0));
        return servers;
    }

    public async Task<bool> IsInRoomAsync(long roomNid, string server, CancellationToken ct)
    {
        await using var command = Command(SqlIsInRoom, roomNid, server);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Everybody of that server who has or had to do with the room.</summary>
    public async Task<List<string>> OfServerAsync(long roomNid, string server, CancellationToken ct)
    {
        var users = new List<string>();
        await using var command = Command(SqlOfServer, roomNid, server);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) users.Add(r.GetString(0));
        return users;
    }

    private NpgsqlCommand Command(string sql, long roomNid, string server)
    {
        var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(server);
        return command;
    }
}

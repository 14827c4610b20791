namespace Matrix.Storage.Rooms;

/// <summary>Questions about memberships that need no list, and forgetting.</summary>
public sealed class MembershipStore(Database database)
{
    internal const string SqlForget =
        """
        update room_memberships m set forgotten = true from rooms r
        where r.room_id = $1 and m.room_nid = r.room_nid and m.user_id = $2 and m.membership in ('leave', 'ban') returning m.user_id
        """;
    internal const string SqlJoinedRooms =
        """
        select r.room_id from room_memberships m join rooms r on r.room_nid = m.room_nid
        where m.user_id = $1 and m.membership = 'join' order by r.room_id
        """;
    internal const string SqlShareRoom =
        """
        select exists (
            select 1 from room_memberships a join room_memberships b on b.room_nid = a.room_nid
            where a.user_id = $1 and a.membership = 'join' and b.user_id = $2 and b.membership = 'join')
        """;
    internal const string SqlJoinedServers =
        """
        select s.server from (
            select substr(m.user_id, strpos(m.user_id, ':') + 1) as server, count(*) as n from room_memberships m
            where m.room_nid = $1 and m.membership = 'join' group by 1) s
        order by s.n desc, s.server limit $2
        """;

    /// <summary>False: the user is still in the room, invited, or never was there.</summary>
    public async Task<bool> ForgetAsync(string roomId, string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlForget);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(userId);
        return await command.ExecuteScalarAsync(ct) is not null;
    }

    public async Task<List<string>> JoinedRoomsAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlJoinedRooms);
        command.Parameters.AddWithValue(userId);
        return await TextsAsync(command, ct);
    }

    public async Task<bool> ShareRoomAsync(string userId, string otherUserId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlShareRoom);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(otherUserId);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Servers with joined members, those with most members first.</summary>
    public async Task<List<string>> JoinedServersAsync(long roomNid, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlJoinedServers);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(limit);
        return await TextsAsync(command, ct);
    }

    private static async Task<List<string>> TextsAsync(Npgsql.NpgsqlCommand command, CancellationToken ct)
    {
        var texts = new List<string>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) texts.Add(r.GetString(0));
        return texts;
    }
}

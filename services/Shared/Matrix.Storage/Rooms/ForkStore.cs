namespace Matrix.Storage.Rooms;

/// <summary>Rooms whose graph has many ends.</summary>
public sealed class ForkStore(Database database)
{
    internal const string SqlRooms =
        """
        select r.room_id from forward_extremities f join rooms r using (room_nid)
        group by r.room_nid having count(*) > $1 order by count(*) desc limit $2
        """;
    internal const string SqlMembers =
        """
        select m.user_id from room_memberships m join rooms r using (room_nid) left join users u on u.user_id = m.user_id
        where r.room_id = $1 and m.membership = 'join' and right(m.user_id, length($2) + 1) = ':' || $2
          and not coalesce(u.is_guest or u.deactivated, false)
        order by m.pos limit $3
        """;

    /// <summary>Those with more forward extremities than that, the most first.</summary>
    public Task<List<string>> RoomsAsync(int moreThan, int limit, CancellationToken ct) => TextsAsync(SqlRooms, [moreThan, limit], ct);

    /// <summary>Joined members of a server, who has been there longest first.</summary>
    public Task<List<string>> MembersAsync(string roomId, string serverName, int limit, CancellationToken ct) => TextsAsync(SqlMembers, [roomId, serverName, limit], ct);

    private async Task<List<string>> TextsAsync(string sql, object[] values, CancellationToken ct)
    {
        var texts = new List<string>();
        await using var command = database.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) texts.Add(r.GetString(0));
        return texts;
    }
}

namespace Matrix.Storage.Rooms;

/// <summary>What leads to a room that was replaced: aliases, and its place in the room directory.</summary>
public sealed class RoomAliasMover(Database database)
{
    internal const string SqlMove =
        """
        with published as (
            update rooms n set is_public = o.is_public from rooms o where o.room_id = $1 and n.room_id = $2),
        hidden as (
            update rooms set is_public = false where room_id = $1 and is_public)
        update room_aliases set room_id = $2 where room_id = $1
        """;

    public async Task MoveAsync(string fromRoomId, string toRoomId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMove);
        command.Parameters.AddWithValue(fromRoomId);
        command.Parameters.AddWithValue(toRoomId);
        await command.ExecuteNonQueryAsync(ct);
    }
}

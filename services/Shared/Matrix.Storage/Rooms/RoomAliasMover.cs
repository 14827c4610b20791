namespace Matrix.Storage.Rooms;

/// <summary>Aliases of a room that was replaced.</summary>
public sealed class RoomAliasMover(Database database)
{
    internal const string SqlMove = "update room_aliases set room_id = $2 where room_id = $1";

    public async Task MoveAsync(string fromRoomId, string toRoomId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMove);
        command.Parameters.AddWithValue(fromRoomId);
        command.Parameters.AddWithValue(toRoomId);
        await command.ExecuteNonQueryAsync(ct);
    }
}

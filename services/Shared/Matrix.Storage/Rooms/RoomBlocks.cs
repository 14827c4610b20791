namespace Matrix.Storage.Rooms;

/// <summary>Rooms that users of this server may not enter, whether they are known here or not.</summary>
public sealed class RoomBlocks(Database database)
{
    internal const string SqlIsBlocked = "select exists (select 1 from blocked_rooms where room_id = $1)";
    internal const string SqlBlock = "insert into blocked_rooms (room_id, blocked_by, created_ts_ms) values ($1, $2, $3) on conflict do nothing";
    internal const string SqlUnblock = "delete from blocked_rooms where room_id = $1";
    internal const string SqlBlockedBy = "select blocked_by from blocked_rooms where room_id = $1";

    public async Task<bool> IsBlockedAsync(string roomId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlIsBlocked);
        command.Parameters.AddWithValue(roomId);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Who blocked it; null: nobody.</summary>
    public async Task<string?> BlockedByAsync(string roomId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlBlockedBy);
        command.Parameters.AddWithValue(roomId);
        return (string?)await command.ExecuteScalarAsync(ct);
    }

    public async Task BlockAsync(string roomId, string by, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlBlock);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(by);
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    public async Task UnblockAsync(string roomId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUnblock);
        command.Parameters.AddWithValue(roomId);
        await command.ExecuteNonQueryAsync(ct);
    }
}

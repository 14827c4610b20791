using System.Data;
using Matrix.Events;
using Matrix.Replication;
using Matrix.Storage.Events;
using Matrix.Storage.Receipts;
using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Sync;

/// <summary>
/// What /sync reads: whole users and whole rooms as of one known stream position, so that rows of the streams can be applied on top of them exactly.
/// Missing things are omitted; nothing here authorises or hides.
/// </summary>
public sealed partial class SyncReader(Database database)
{
    public async Task<Dictionary<StreamDefinition, long>> PositionsAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlPositions);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await ReadPositionsAsync(r, ct);
    }

    /// <summary>Some local user and a room that he is in; null when there is none.</summary>
    public async Task<(string UserId, string RoomId)?> SomeMemberAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSomeMember);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? (r.GetString(0), r.GetString(1)) : null;
    }

    private static async Task<Dictionary<StreamDefinition, long>> ReadPositionsAsync(NpgsqlDataReader r, CancellationToken ct)
    {
        var positions = new Dictionary<StreamDefinition, long>();
        while (await r.ReadAsync(ct)) if (Replication.Streams.Find(r.GetString(0)) is { } stream) positions[stream] = r.GetInt64(1);
        return positions;
    }

    /// <summary>One snapshot of the database for several statements: what they return belongs to exactly the positions that the first one reads.</summary>
    private async Task<T> InSnapshotAsync<T>(Func<NpgsqlBatch, Task<T>> read, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        await using var batch = new NpgsqlBatch(connection, transaction);
        var result = await read(batch);
        await transaction.CommitAsync(ct);
        return result;
    }

    private static void Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<object> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var p in parameters) command.Parameters.AddWithValue(p);
        batch.BatchCommands.Add(command);
    }

    public Task<UserLoad> LoadUserAsync(string userId, CancellationToken ct) => InSnapshotAsync(async batch =>
    {
        Add(batch, SqlPositions);
        Add(batch, SqlMemberships, userId);
        Add(batch, SqlAccountData, userId);
        Add(batch, SqlToDeviceRanges, userId);
        Add(batch, SqlOwnReceipts, userId);
        Add(batch, SqlImplied, userId);
        await using var r = await batch.ExecuteReaderAsync(ct);
        var positions = await ReadPositionsAsync(r, ct);
        await r.NextResultAsync(ct);
        var memberships = new List<MembershipRecord>();
        while (await r.ReadAsync(ct))
            memberships.Add(new(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetInt64(4), r.GetInt64(5), r.GetString(6), r.GetBoolean(7)));
        await r.NextResultAsync(ct);
        var accountData = await ReadAccountDataAsync(r, ct);
        await r.NextResultAsync(ct);
        var toDevice = new List<ToDeviceRange>();
        while (await r.ReadAsync(ct)) toDevice.Add(new(r.GetString(0), r.GetInt64(1), r.GetInt64(2)));
        await r.NextResultAsync(ct);
        var receipts = await ReadReceiptsAsync(r, ct);
        await r.NextResultAsync(ct);
        var implied = new List<ReadReceipt>();
        while (await r.ReadAsync(ct)) implied.Add(new(r.GetString(0), r.GetString(1), r.GetInt64(2)));
        return new UserLoad(positions, memberships, accountData, toDevice, receipts, implied);
    }, ct);

    private static async Task<List<AccountDatum>> ReadAccountDataAsync(NpgsqlDataReader r, CancellationToken ct)
    {
        var data = new List<AccountDatum>();
        while (await r.ReadAsync(ct)) data.Add(new(r.GetString(0), r.GetString(1), r.GetFieldValue<byte[]>(2)));
        return data;
    }

    private static async Task<List<StoredReceipt>> ReadReceiptsAsync(NpgsqlDataReader r, CancellationToken ct)
    {
        var receipts = new List<StoredReceipt>();
        while (await r.ReadAsync(ct))
            receipts.Add(new(r.GetString(0), r.GetInt64(1),
                new ReceiptRow(r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5), r.IsDBNull(6) ? null : r.GetInt64(6), r.GetInt64(7))));
        return receipts;
    }

    /// <summary>Contents of some account data, by room id (empty: global) and type.</summary>
    public async Task<List<AccountDatum>> AccountDataAsync(string userId, IReadOnlyCollection<(string RoomId, string Type)> keys, CancellationToken ct)
    {
        if (keys.Count == 0) return [];
        await using var command = Command(SqlAccountDataOf, userId, keys.Select(k => k.RoomId).ToArray(), keys.Select(k => k.Type).ToArray());
        await using var r = await command.ExecuteReaderAsync(ct);
        return await ReadAccountDataAsync(r, ct);
    }

    /// <summary>Account data that changed in (after, upTo], by room id and type; null: the stream's rows do not go back that far.</summary>
    public async Task<List<(string RoomId, string Type)>?> AccountDataChangesAsync(string userId, long after, long upTo, CancellationToken ct)
    {
        if (await RetainedAsync(Replication.Streams.AccountData, ct) > after) return null;
        var changes = new List<(string, string)>();
        await using var command = Command(SqlChangedKeys, Replication.Streams.AccountData.Name, userId, after, upTo);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var row = AccountDataRow.Decode(r.GetFieldValue<byte[]>(2));
            changes.Add((row.RoomId, row.Type));
        }
        return changes;
    }

    private async Task<long> RetainedAsync(StreamDefinition stream, CancellationToken ct)
    {
        await using var command = Command(SqlRetained, stream.Name);
        return await command.ExecuteScalarAsync(ct) is long min ? min : long.MinValue;
    }

    /// <summary>Receipts of those rooms with positions in (after, upTo], ascending; of a user, type and thread only the newest exists.</summary>
    public async Task<List<StoredReceipt>> ReceiptsAsync(IReadOnlyCollection<string> roomIds, long after, long upTo, CancellationToken ct)
    {
        if (roomIds.Count == 0) return [];
        await using var command = Command(SqlReceipts, roomIds as string[] ?? [.. roomIds], after, upTo);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await ReadReceiptsAsync(r, ct);
    }

    /// <summary>Receipts of those rooms on one of those events, with positions up to <paramref name="upTo"/>; ascending.</summary>
    public async Task<List<StoredReceipt>> ReceiptsOnAsync(
        IReadOnlyCollection<string> roomIds, IReadOnlyCollection<string> eventIds, long upTo, CancellationToken ct)
    {
        if (roomIds.Count == 0 || eventIds.Count == 0) return [];
        await using var command = Command(SqlReceiptsOn, roomIds.ToArray(), eventIds.ToArray(), upTo);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await ReadReceiptsAsync(r, ct);
    }

    /// <summary>Messages for a device with positions in (after, upTo], ascending, at most <paramref name="limit"/>.</summary>
    public async Task<List<ToDeviceMessage>> ToDeviceAsync(string userId, string deviceId, long after, long upTo, int limit, CancellationToken ct)
    {
        var messages = new List<ToDeviceMessage>();
        await using var command = Command(SqlToDevice, userId, deviceId, after, upTo, limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) messages.Add(new(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetFieldValue<byte[]>(3)));
        return messages;
    }

    /// <summary>Forgets what the device has acknowledged.</summary>
    public async Task DeleteToDeviceAsync(string userId, string deviceId, long upTo, CancellationToken ct)
    {
        await using var command = Command(SqlDeleteToDevice, userId, deviceId, upTo);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Users whose device lists changed in (after, upTo] and who share a room with that user, himself included.</summary>
    public async Task<List<string>> DeviceListChangesAsync(string userId, long after, long upTo, CancellationToken ct)
    {
        // Rows that old are gone: whoever shares a room may have changed.
        if (await RetainedAsync(Replication.Streams.DeviceLists, ct) > after) return await IdsAsync(Command(SqlContacts, userId), ct);
        var changed = new HashSet<string>(StringComparer.Ordinal);
        await using var command = Command(SqlDeviceListChanges, userId, after, upTo);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            changed.Add(r.IsDBNull(1) ? r.GetString(0) : DeviceListRow.Decode(r.GetFieldValue<byte[]>(1)).About ?? userId);
        return [.. changed];
    }

    /// <summary>Those of <paramref name="others"/> who share a room with the user, both joined.</summary>
    public async Task<List<string>> SharingAsync(string userId, IReadOnlyCollection<string> others, CancellationToken ct) =>
        others.Count == 0 ? [] : await IdsAsync(Command(SqlSharing, userId, others as string[] ?? [.. others]), ct);

    private static async Task<List<string>> IdsAsync(NpgsqlCommand query, CancellationToken ct)
    {
        await using var command = query;
        var ids = new List<string>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) ids.Add(r.GetString(0));
        return ids;
    }

    /// <summary>Rooms that those users are joined to: pairs of user and room id.</summary>
    public async Task<List<(string UserId, string RoomId)>> JoinedRoomsAsync(IReadOnlyCollection<string> userIds, CancellationToken ct)
    {
        var pairs = new List<(string, string)>();
        if (userIds.Count == 0) return pairs;
        await using var command = Command(SqlJoinedRooms, [userIds as string[] ?? [.. userIds]]);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) pairs.Add((r.GetString(0), r.GetString(1)));
        return pairs;
    }

    /// <summary>Those rooms that the user has forgotten.</summary>
    public async Task<HashSet<long>> ForgottenAsync(string userId, IReadOnlyCollection<long> roomNids, CancellationToken ct)
    {
        var forgotten = new HashSet<long>();
        if (roomNids.Count == 0) return forgotten;
        await using var command = Command(SqlForgotten, userId, roomNids as long[] ?? [.. roomNids]);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) forgotten.Add(r.GetInt64(0));
        return forgotten;
    }

    /// <summary>Null: no such room.</summary>
    public async Task<long?> FindRoomAsync(string roomId, CancellationToken ct)
    {
        await using var command = Command(SqlFindRoom, roomId);
        return await command.ExecuteScalarAsync(ct) is long nid ? nid : null;
    }

    /// <summary>Ids of rooms that the user has a membership in and that stand in the room directory.</summary>
    public async Task<HashSet<string>> PublishedRoomsAsync(string userId, CancellationToken ct) =>
        (await IdsAsync(Command(SqlPublishedRooms, userId), ct)).ToHashSet(StringComparer.Ordinal);

    /// <summary>A stored filter, JSON; null: the user has none with that id.</summary>
    public async Task<byte[]?> FilterAsync(string userId, long filterId, CancellationToken ct)
    {
        await using var command = Command(SqlFilter, userId, filterId);
        return (byte[]?)await command.ExecuteScalarAsync(ct);
    }

    private NpgsqlCommand Command(string sql, params ReadOnlySpan<object> parameters)
    {
        var command = database.Source.CreateCommand(sql);
        foreach (var p in parameters) command.Parameters.AddWithValue(p);
        return command;
    }
}

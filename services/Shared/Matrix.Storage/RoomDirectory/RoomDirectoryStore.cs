namespace Matrix.Storage.RoomDirectory;

public sealed record AliasRecord(string Alias, string RoomId, string Creator);

/// <summary>A published room with what the list is ordered by.</summary>
public sealed record PublishedRoom(long RoomNid, string RoomId, long JoinedMembers);

/// <summary>Aliases of this server, and which rooms are published. Written by ClientApi, and by EventPersister when it makes a room.</summary>
public sealed class RoomDirectoryStore(Database database)
{
    internal const string SqlAlias = "select alias, room_id, creator from room_aliases where alias = $1";
    internal const string SqlAliasesOfRoom = "select alias, room_id, creator from room_aliases where room_id = $1 order by created_ts_ms, alias";
    internal const string SqlAddAlias =
        """
        insert into room_aliases (alias, room_id, creator, created_ts_ms) values ($1, $2, $3, $4) on conflict (alias) do nothing returning alias
        """;
    internal const string SqlRemoveAlias = "delete from room_aliases where alias = $1 and room_id = $2 returning alias";
    internal const string SqlSetPublished = "update rooms set is_public = $2 where room_nid = $1 and is_public <> $2";

    // Largest first; rooms of equal size by id. ($1, $2): size and id of the room to go on after, or before.
    private const string Published =
        """
        select p.room_nid, p.room_id, p.joined from (
            select r.room_nid, r.room_id,
                (select count(*) from room_memberships m where m.room_nid = r.room_nid and m.membership = 'join') as joined
            from rooms r where r.is_public) p
        """;
    internal const string SqlPublishedAfter = Published +
        """
         where p.joined < $1 or (p.joined = $1 and p.room_id > $2) order by p.joined desc, p.room_id limit $3
        """;
    internal const string SqlPublishedBefore = Published +
        """
         where p.joined > $1 or (p.joined = $1 and p.room_id < $2) order by p.joined, p.room_id desc limit $3
        """;
    internal const string SqlCountPublished = "select count(*) from rooms where is_public";

    /// <summary>Null: no such alias here.</summary>
    public async Task<AliasRecord?> FindAliasAsync(string alias, CancellationToken ct) => (await AliasesAsync(SqlAlias, alias, ct)).FirstOrDefault();

    public Task<List<AliasRecord>> AliasesOfRoomAsync(string roomId, CancellationToken ct) => AliasesAsync(SqlAliasesOfRoom, roomId, ct);

    private async Task<List<AliasRecord>> AliasesAsync(string sql, string key, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(key);
        var aliases = new List<AliasRecord>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) aliases.Add(new(r.GetString(0), r.GetString(1), r.GetString(2)));
        return aliases;
    }

    /// <summary>False: the alias is taken.</summary>
    public async Task<bool> AddAliasAsync(string alias, string roomId, string creator, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAddAlias);
        command.Parameters.AddWithValue(alias);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(creator);
        command.Parameters.AddWithValue(nowMs);
        return await command.ExecuteScalarAsync(ct) is not null;
    }

    /// <summary>False: it no longer points there.</summary>
    public async Task<bool> RemoveAliasAsync(string alias, string roomId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRemoveAlias);
        command.Parameters.AddWithValue(alias);
        command.Parameters.AddWithValue(roomId);
        return await command.ExecuteScalarAsync(ct) is not null;
    }

    public async Task SetPublishedAsync(long roomNid, bool published, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSetPublished);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(published);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Published rooms after that size and id, largest first; with <paramref name="backwards"/> those before it, nearest first.</summary>
    public async Task<List<PublishedRoom>> PublishedAsync(long joined, string roomId, bool backwards, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(backwards ? SqlPublishedBefore : SqlPublishedAfter);
        command.Parameters.AddWithValue(joined);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(limit);
        var rooms = new List<PublishedRoom>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) rooms.Add(new(r.GetInt64(0), r.GetString(1), r.GetInt64(2)));
        return rooms;
    }

    public async Task<long> CountPublishedAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCountPublished);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }
}

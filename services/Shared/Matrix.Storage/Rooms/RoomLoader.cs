using Matrix.Events;
using Matrix.Storage.Events;
using Npgsql;
using NpgsqlTypes;

namespace Matrix.Storage.Rooms;

/// <summary>A forward extremity.</summary>
public readonly record struct Extremity(long EventNid, string EventId, long Depth);

/// <summary>An event of the current state.</summary>
public sealed record StateEntry(long StateKeyNid, long EventNid, Pdu Pdu);

/// <summary>A room as its writer needs it. <paramref name="Room"/>'s head was read first: what follows is of that head or younger.</summary>
public sealed record LoadedRoom(RoomRecord Room, IReadOnlyList<Extremity> Extremities, StateMap State, SnapshotChain Chain, IReadOnlyList<StateEntry> Entries);

/// <summary>What may have changed of a room that is held in memory. Its head was read first.</summary>
/// <param name="Redacted">Those of the events asked for that are redacted.</param>
public sealed record RoomGlance(long Head, long? CurrentSnapshot, IReadOnlyList<Extremity> Extremities, IReadOnlySet<long> Redacted);

/// <summary>Reads what a writer of rooms holds in memory.</summary>
public sealed class RoomLoader(Database database)
{
    internal const string SqlRoom = "select room_nid, room_id, version, head, is_public, current_snapshot from rooms where room_id = $1";
    internal const string SqlExtremities =
        """
        select e.event_nid, e.event_id, e.depth from rooms r join forward_extremities f on f.room_nid = r.room_nid
        join events e on e.event_nid = f.event_nid where r.room_id = $1 order by e.event_nid
        """;
    internal const string SqlPath =
        """
        with recursive p as (
            select s.chain, s.number, s.delta from rooms r join state_snapshots s on s.snapshot_nid = r.current_snapshot where r.room_id = $1
            union all
            select s.chain, s.number, s.delta from p join state_snapshots s on s.chain = p.chain and s.number = (p.number & (p.number - 1))
            where p.number > 0)
        select chain, number, delta from p order by number
        """;
    internal const string SqlEntries =
        """
        select k.state_key_nid, e.event_nid, e.event_id, e.json
        from rooms r cross join unnest($2::text[], $3::text[]) as q(type, state_key)
        join state_keys k on k.type = q.type and k.state_key = q.state_key
        join current_state c on c.room_nid = r.room_nid and c.state_key_nid = k.state_key_nid
        join events e on e.event_nid = c.event_nid
        where r.room_id = $1
        """;
    internal const string SqlEvents = "select event_nid, state_key_nid, event_id, json from events where event_nid = any($1)";
    /// <remarks>Authorisers of restricted joins.</remarks>
    internal const string SqlJoinedIn =
        """
        select exists (select 1 from room_memberships m join rooms r using (room_nid)
        where m.user_id = $1 and m.membership = 'join' and r.room_id = any($2))
        """;
    internal const string SqlLocalJoined =
        "select user_id from room_memberships where room_nid = $1 and membership = 'join' and user_id like $2 limit $3";

    internal const string SqlGuests =
        """
        select m.user_id from rooms r join room_memberships m using (room_nid) join users u on u.user_id = m.user_id
        where r.room_id = $1 and m.membership = 'join' and u.is_guest
        """;

    internal const string SqlRedacted = "select event_nid from events where event_nid = any($1) and flags & 8 <> 0";

    /// <summary>For who has the room's state already, and wants to know whether it still is. Null: no such room here. One round trip, whatever the state's size.</summary>
    public async Task<RoomGlance?> GlanceAsync(string roomId, long[] eventNids, CancellationToken ct)
    {
        await using var batch = database.Source.CreateBatch();
        batch.BatchCommands.Add(Command(SqlRoom, roomId));
        batch.BatchCommands.Add(Command(SqlExtremities, roomId));
        var redacted = new NpgsqlBatchCommand(SqlRedacted);
        redacted.Parameters.AddWithValue(eventNids);
        batch.BatchCommands.Add(redacted);
        await using var r = await batch.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct)) return null;
        var (head, snapshot) = (r.GetInt64(3), r.IsDBNull(5) ? default(long?) : r.GetInt64(5));
        await r.NextResultAsync(ct);
        var extremities = new List<Extremity>(1);
        while (await r.ReadAsync(ct)) extremities.Add(new(r.GetInt64(0), r.GetString(1), r.GetInt64(2)));
        await r.NextResultAsync(ct);
        var gone = new HashSet<long>();
        while (await r.ReadAsync(ct)) gone.Add(r.GetInt64(0));
        return new RoomGlance(head, snapshot, extremities, gone);
    }

    /// <summary>Guests of this server who are joined.</summary>
    public async Task<List<string>> JoinedGuestsAsync(string roomId, CancellationToken ct)
    {
        var users = new List<string>();
        await using var command = database.Source.CreateCommand(SqlGuests);
        command.Parameters.AddWithValue(roomId);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) users.Add(r.GetString(0));
        return users;
    }

    /// <summary>The room with its current state at <paramref name="keys"/>; null: no such room here. One round trip.</summary>
    public async Task<LoadedRoom?> LoadAsync(string roomId, IReadOnlyList<StateKey> keys, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var batch = new NpgsqlBatch(connection);
        // The head comes first: what somebody commits after it was read is found out by the compare-and-swap.
        foreach (var sql in (ReadOnlySpan<string>)[SqlRoom, SqlExtremities, SqlPath]) batch.BatchCommands.Add(Command(sql, roomId));
        var entriesCommand = Command(SqlEntries, roomId);
        entriesCommand.Parameters.Add(Texts([.. keys.Select(k => k.Type)]));
        entriesCommand.Parameters.Add(Texts([.. keys.Select(k => k.Key)]));
        batch.BatchCommands.Add(entriesCommand);
        await batch.PrepareAsync(ct);
        await using var r = await batch.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct)) return null;
        var version = RoomVersions.Find(r.GetString(2))
            ?? throw new InvalidDataException($"Room version '{r.GetString(2)}' in the database is not known to this release.");
        var room = new RoomRecord(r.GetInt64(0), r.GetString(1), version, r.GetInt64(3), r.GetBoolean(4), r.IsDBNull(5) ? null : r.GetInt64(5));

        await r.NextResultAsync(ct);
        var extremities = new List<Extremity>(1);
        while (await r.ReadAsync(ct)) extremities.Add(new(r.GetInt64(0), r.GetString(1), r.GetInt64(2)));

        await r.NextResultAsync(ct);
        var state = new StateMap();
        var path = new List<(int Number, byte[] Delta)>();
        long chain = 0;
        while (await r.ReadAsync(ct))
        {
            chain = r.GetInt64(0);
            var delta = r.GetFieldValue<byte[]>(2);
            StateDelta.Apply(delta, state);
            path.Add((r.GetInt32(1), delta));
        }
        var tip = path.Count == 0 ? SnapshotChain.Empty() : SnapshotChain.At(chain, path[^1].Number, path.Where(p => p.Number > 0));
        if (path.Count > 0 && path.Count != StateDelta.Path(path[^1].Number).Length)
            throw new InvalidDataException($"State snapshot {room.CurrentSnapshot} cannot be rebuilt: rows of its chain are missing.");

        await r.NextResultAsync(ct);
        var entries = new List<StateEntry>();
        while (await r.ReadAsync(ct))
            entries.Add(new(r.GetInt64(0), r.GetInt64(1), Pdu.ReadTrusted(r.GetFieldValue<byte[]>(3), version, r.GetString(2))));
        return new LoadedRoom(room, extremities, state, tip, entries);
    }

    /// <summary>State events by nid; missing ones are omitted.</summary>
    public async Task<List<StateEntry>> EntriesAsync(long[] eventNids, RoomVersion version, CancellationToken ct)
    {
        var entries = new List<StateEntry>(eventNids.Length);
        await using var command = database.Source.CreateCommand(SqlEvents);
        command.Parameters.AddWithValue(eventNids);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            entries.Add(new(r.IsDBNull(1) ? 0 : r.GetInt64(1), r.GetInt64(0), Pdu.ReadTrusted(r.GetFieldValue<byte[]>(3), version, r.GetString(2))));
        return entries;
    }

    /// <summary>Whether the user is joined to any of those rooms.</summary>
    public async Task<bool> IsJoinedToAnyAsync(string userId, string[] roomIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlJoinedIn);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(roomIds);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Some joined members whose ids end with <c>:serverName</c>.</summary>
    public async Task<List<string>> JoinedOfServerAsync(long roomNid, string serverName, int limit, CancellationToken ct)
    {
        var users = new List<string>();
        await using var command = database.Source.CreateCommand(SqlLocalJoined);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue("%:" + serverName.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal).Replace("%", "\\%", StringComparison.Ordinal));
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) users.Add(r.GetString(0));
        return users;
    }

    private static NpgsqlBatchCommand Command(string sql, string roomId) =>
        new(sql) { Parameters = { new NpgsqlParameter<string> { TypedValue = roomId, NpgsqlDbType = NpgsqlDbType.Text } } };

    private static NpgsqlParameter Texts(string[] values) =>
        new NpgsqlParameter<string[]> { TypedValue = values, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
}

using Matrix.Events;
using Matrix.Storage.Events;
using Npgsql;
using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Rooms;

public sealed partial class RoomReader
{
    private const string RoomColumns = "select room_nid, room_id, version, head, is_public, current_snapshot from rooms ";
    private const string MemberColumns =
        "select m.room_nid, r.room_id, m.user_id, m.membership, m.event_nid, m.pos, m.sender, m.forgotten from room_memberships m join rooms r using (room_nid) ";
    private const string FromCurrent =
        "from current_state c join events e on e.event_nid = c.event_nid left join event_stream s on s.event_nid = e.event_nid";

    internal const string SqlFind = RoomColumns + "where room_id = $1";
    internal const string SqlByNids = RoomColumns + "where room_nid = any($1)";
    internal const string SqlCurrentState = Columns + FromCurrent + Joins + "where c.room_nid = $1 order by c.event_nid";
    internal const string SqlCurrentStateAtKeys = Columns + FromCurrent + Joins +
        """
        where c.room_nid = any($1) and c.state_key_nid in (
            select k.state_key_nid from unnest($2::text[], $3::text[]) as q(type, state_key) join state_keys k on k.type = q.type and k.state_key = q.state_key)
        """;
    internal const string SqlMembership = MemberColumns + "where r.room_id = $1 and m.user_id = $2";
    internal const string SqlMembershipsOf = MemberColumns + "where m.room_nid = any($1) and m.user_id = $2";
    internal const string SqlMembershipsOfUser = MemberColumns + "where m.user_id = $1";
    internal const string SqlMembers = MemberColumns + "where m.room_nid = $1 and (cardinality($2::text[]) = 0 or m.membership = any($2))";
    internal const string SqlJoinedMembers = "select room_nid, user_id from room_memberships where room_nid = any($1) and membership = 'join'";
    internal const string SqlUsersSharingRooms =
        """
        select distinct b.user_id from room_memberships a join room_memberships b on b.room_nid = a.room_nid and b.membership = 'join'
        where a.user_id = $1 and a.membership = 'join' and b.user_id <> $1
        """;
    internal const string SqlAlias = "select room_id from room_aliases where alias = $1";

    public async partial Task<RoomRecord?> FindAsync(string roomId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(roomId);
        return (await RoomsAsync(command, ct)).FirstOrDefault();
    }

    public async partial Task<List<RoomRecord>> ByNidsAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct)
    {
        if (roomNids.Count == 0) return [];
        await using var command = database.Source.CreateCommand(SqlByNids);
        command.Parameters.AddWithValue(roomNids as long[] ?? [.. roomNids]);
        return await RoomsAsync(command, ct);
    }

    private static async Task<List<RoomRecord>> RoomsAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var rooms = new List<RoomRecord>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var version = RoomVersions.Find(r.GetString(2))
                ?? throw new InvalidDataException($"Room version '{r.GetString(2)}' in the database is not known to this release.");
            rooms.Add(new(r.GetInt64(0), r.GetString(1), version, r.GetInt64(3), r.GetBoolean(4), r.IsDBNull(5) ? null : r.GetInt64(5)));
        }
        return rooms;
    }

    public async partial Task<List<StoredEvent>> CurrentStateAsync(long roomNid, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCurrentState);
        command.Parameters.AddWithValue(roomNid);
        return await ReadAllAsync(command, ct);
    }

    public async partial Task<List<StoredEvent>> CurrentStateAsync(
        IReadOnlyCollection<long> roomNids, IReadOnlyCollection<StateKey> keys, CancellationToken ct)
    {
        if (roomNids.Count == 0 || keys.Count == 0) return [];
        await using var command = database.Source.CreateCommand(SqlCurrentStateAtKeys);
        command.Parameters.AddWithValue(roomNids as long[] ?? [.. roomNids]);
        command.Parameters.AddWithValue(keys.Select(k => k.Type).ToArray());
        command.Parameters.AddWithValue(keys.Select(k => k.Key).ToArray());
        return await ReadAllAsync(command, ct);
    }

    public async partial Task<StoredEvent?> CurrentStateAsync(long roomNid, StateKey key, CancellationToken ct) =>
        (await CurrentStateAsync([roomNid], [key], ct)).FirstOrDefault();

    public async partial Task<MembershipRecord?> MembershipAsync(string roomId, string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMembership);
        command.Parameters.AddWithValue(roomId);
        command.Parameters.AddWithValue(userId);
        return (await MembershipsAsync(command, ct)).FirstOrDefault();
    }

    public async partial Task<List<MembershipRecord>> MembershipsAsync(IReadOnlyCollection<long> roomNids, string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMembershipsOf);
        command.Parameters.AddWithValue(roomNids as long[] ?? [.. roomNids]);
        command.Parameters.AddWithValue(userId);
        return await MembershipsAsync(command, ct);
    }

    public async partial Task<List<MembershipRecord>> MembershipsOfUserAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMembershipsOfUser);
        command.Parameters.AddWithValue(userId);
        return await MembershipsAsync(command, ct);
    }

    public async partial Task<List<MembershipRecord>> MembersAsync(long roomNid, IReadOnlyCollection<string> memberships, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMembers);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(memberships as string[] ?? [.. memberships]);
        return await MembershipsAsync(command, ct);
    }

    private static async Task<List<MembershipRecord>> MembershipsAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var members = new List<MembershipRecord>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            members.Add(new(r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetInt64(4), r.GetInt64(5), r.GetString(6), r.GetBoolean(7)));
        return members;
    }

    public async partial Task<Dictionary<long, List<string>>> JoinedMembersAsync(IReadOnlyCollection<long> roomNids, CancellationToken ct)
    {
        var rooms = new Dictionary<long, List<string>>();
        if (roomNids.Count == 0) return rooms;
        await using var command = database.Source.CreateCommand(SqlJoinedMembers);
        command.Parameters.AddWithValue(roomNids as long[] ?? [.. roomNids]);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
        {
            var room = r.GetInt64(0);
            if (!rooms.TryGetValue(room, out var users)) rooms[room] = users = [];
            users.Add(r.GetString(1));
        }
        return rooms;
    }

    public async partial Task<List<string>> UsersSharingRoomsAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUsersSharingRooms);
        command.Parameters.AddWithValue(userId);
        var users = new List<string>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) users.Add(r.GetString(0));
        return users;
    }

    public async partial Task<string?> AliasAsync(string alias, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAlias);
        command.Parameters.AddWithValue(alias);
        return (string?)await command.ExecuteScalarAsync(ct);
    }
}

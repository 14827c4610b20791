using Matrix.Storage.Sync;
using Npgsql;

namespace Matrix.Storage.Keys;

/// <param name="Changed">Users who share a room with the reader: their keys changed, or they have come to share one.</param>
/// <param name="Left">Users who share no room with him any more.</param>
public sealed record ContactChanges(HashSet<string> Changed, HashSet<string> Left);

/// <summary>
/// Whose keys a user has to ask for (again), and whose he may forget, since some point in the streams: computed from the rooms that are shared, for
/// whoever cannot know it from memory. Nothing is stored for a pair of users.
/// </summary>
public sealed class ContactReader(Database database, SyncReader sync)
{
    /// <summary>Members of the reader's rooms whose memberships changed after that position.</summary>
    internal const string SqlTurned =
        """
        select b.user_id, bool_or(b.membership = 'join') from room_memberships a
        join room_memberships b on b.room_nid = a.room_nid and b.pos > $2 and b.user_id <> $1
        where a.user_id = $1 and a.membership = 'join' group by b.user_id
        """;
    internal const string SqlOwnTurned = "select room_nid from room_memberships where user_id = $1 and pos > $2 and membership in ('join', 'leave', 'ban')";
    internal const string SqlMembers = "select distinct user_id from room_memberships where room_nid = any($1) and membership = 'join'";

    public async Task<ContactChanges> ChangesAsync(string userId, long afterEvents, long afterDevices, long upToDevices, CancellationToken ct)
    {
        var news = new ContactChanges(new(StringComparer.Ordinal), new(StringComparer.Ordinal));
        news.Changed.UnionWith(await sync.DeviceListChangesAsync(userId, afterDevices, upToDevices, ct));
        await AddTurnedAsync(news, userId, afterEvents, ct);
        await AddOwnTurnsAsync(news, userId, afterEvents, ct);
        news.Left.Remove(userId);
        if (news.Left.Count > 0) news.Left.ExceptWith(await sync.SharingAsync(userId, news.Left, ct));
        news.Changed.ExceptWith(news.Left);
        return news;
    }

    private async Task AddTurnedAsync(ContactChanges news, string userId, long afterEvents, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlTurned);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(afterEvents);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) (r.GetBoolean(1) ? news.Changed : news.Left).Add(r.GetString(0));
    }

    /// <summary>Rooms that the reader himself has joined or left.</summary>
    private async Task AddOwnTurnsAsync(ContactChanges news, string userId, long afterEvents, CancellationToken ct)
    {
        var rooms = new List<long>();
        await using (var command = database.Source.CreateCommand(SqlOwnTurned))
        {
            command.Parameters.AddWithValue(userId);
            command.Parameters.AddWithValue(afterEvents);
            await using var r = await command.ExecuteReaderAsync(ct);
            while (await r.ReadAsync(ct)) rooms.Add(r.GetInt64(0));
        }
        if (rooms.Count == 0) return;
        var (joined, left) = (new List<long>(), new List<long>());
        foreach (var room in (await sync.MembershipHistoryAsync(userId, rooms, afterEvents, ct)).GroupBy(s => s.RoomNid))
        {
            var steps = room.OrderBy(s => s.Position).ToList();
            var wasJoined = steps[0].Position <= afterEvents && steps[0].Membership == "join";
            var isJoined = steps[^1].Membership == "join";
            var wasElsewhere = steps.Exists(s => s.Membership != "join");
            if (isJoined && (!wasJoined || wasElsewhere)) joined.Add(room.Key);
            else if (!isJoined && steps.Exists(s => s.Membership == "join")) left.Add(room.Key);
        }
        news.Changed.UnionWith((await MembersAsync(joined, ct)).Where(member => member != userId));
        news.Left.UnionWith(await MembersAsync(left, ct));
    }

    private async Task<List<string>> MembersAsync(List<long> rooms, CancellationToken ct)
    {
        var members = new List<string>();
        if (rooms.Count == 0) return members;
        await using var command = database.Source.CreateCommand(SqlMembers);
        command.Parameters.Add(new NpgsqlParameter { Value = rooms.ToArray() });
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) members.Add(r.GetString(0));
        return members;
    }
}

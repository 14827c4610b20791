using Npgsql;

namespace Matrix.Storage.Directory;

/// <summary>An entry of the user directory.</summary>
public sealed record DirectoryEntry(string UserId, string? DisplayName, string? AvatarUrl);

/// <summary>Tables user_directory and directory_public_rooms.</summary>
public sealed class UserDirectoryStore(Database database)
{
    internal const string SqlUpsert =
        """
        insert into user_directory (user_id, display_name, avatar_url, search)
        select u.user_id, u.display_name, u.avatar_url, array_to_tsvector(string_to_array(normalize(u.words, nfkc), ' '))
        from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as u(user_id, display_name, avatar_url, words)
        on conflict (user_id) do update
        set display_name = excluded.display_name, avatar_url = excluded.avatar_url, search = excluded.search
        """;
    internal const string SqlRemove = "delete from user_directory where user_id = any($1)";
    internal const string SqlAddPublicRooms =
        "insert into directory_public_rooms (room_nid) select unnest($1::bigint[]) on conflict do nothing";
    internal const string SqlRemovePublicRooms = "delete from directory_public_rooms where room_nid = any($1)";
    internal const string SqlRooms = "select room_nid from rooms where room_nid > $1 order by room_nid limit $2";

    // Who is found: who shares a room with the searcher, and who is in a room that anybody can look into. The searcher only as one of the latter,
    // which is what Synapse does. Whole names come before prefixes, people with a face before those without.
    internal const string SqlSearch =
        """
        select d.user_id, d.display_name, d.avatar_url from user_directory d
        where d.search @@ normalize($2, nfkc)::tsquery
        and (exists (
                select 1 from room_memberships m join directory_public_rooms p using (room_nid)
                where m.user_id = d.user_id and m.membership = 'join')
            or d.user_id <> $1 and exists (
                select 1 from room_memberships mine join room_memberships theirs using (room_nid)
                where mine.user_id = $1 and mine.membership = 'join' and theirs.user_id = d.user_id and theirs.membership = 'join'))
        order by
            (d.user_id = $3 or starts_with(d.user_id, '@' || $3 || ':') or lower(d.display_name) = $3) desc,
            starts_with(d.user_id, '@' || $3) desc,
            starts_with(lower(coalesce(d.display_name, '')), $3) desc,
            d.display_name is not null desc, d.avatar_url is not null desc, d.user_id
        limit $4
        """;

    /// <param name="words">For each entry what it is found by: words without blanks, joined by single blanks.</param>
    public static async Task UpsertAsync(NpgsqlTransaction tx, IReadOnlyList<DirectoryEntry> entries, IReadOnlyList<string> words, CancellationToken ct)
    {
        if (entries.Count == 0) return;
        await using var command = new NpgsqlCommand(SqlUpsert, tx.Connection, tx);
        command.Parameters.AddWithValue(entries.Select(e => e.UserId).ToArray());
        command.Parameters.AddWithValue(entries.Select(e => e.DisplayName).ToArray());
        command.Parameters.AddWithValue(entries.Select(e => e.AvatarUrl).ToArray());
        command.Parameters.AddWithValue(words.ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }

    public static async Task RemoveAsync(NpgsqlTransaction tx, IReadOnlyCollection<string> userIds, CancellationToken ct)
    {
        if (userIds.Count == 0) return;
        await using var command = new NpgsqlCommand(SqlRemove, tx.Connection, tx);
        command.Parameters.AddWithValue(userIds.ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Notes which of some rooms anybody can join or read.</summary>
    public static async Task SetPublicRoomsAsync(
        NpgsqlTransaction tx, IReadOnlyCollection<long> publicRooms, IReadOnlyCollection<long> otherRooms, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(tx.Connection, tx);
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlAddPublicRooms) { Parameters = { new() { Value = publicRooms.ToArray() } } });
        batch.BatchCommands.Add(new NpgsqlBatchCommand(SqlRemovePublicRooms) { Parameters = { new() { Value = otherRooms.ToArray() } } });
        await batch.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Rooms in order of their numbers, after one of them.</summary>
    public async Task<List<long>> RoomsPageAsync(long afterRoomNid, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRooms);
        command.Parameters.AddWithValue(afterRoomNid);
        command.Parameters.AddWithValue(limit);
        var nids = new List<long>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) nids.Add(r.GetInt64(0));
        return nids;
    }

    /// <param name="tsquery">In PostgreSQL's syntax, built from words only.</param>
    /// <param name="term">What was typed, lower case, without a leading <c>@</c>: for the order of the answer.</param>
    public async Task<List<DirectoryEntry>> SearchAsync(string searcher, string tsquery, string term, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlSearch);
        command.Parameters.AddWithValue(searcher);
        command.Parameters.AddWithValue(tsquery);
        command.Parameters.AddWithValue(term);
        command.Parameters.AddWithValue(limit);
        var found = new List<DirectoryEntry>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) found.Add(new(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.IsDBNull(2) ? null : r.GetString(2)));
        return found;
    }
}

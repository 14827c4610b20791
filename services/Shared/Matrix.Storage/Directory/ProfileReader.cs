namespace Matrix.Storage.Directory;

/// <summary>What others may see of a local user.</summary>
public sealed record ProfileRecord(string UserId, string? DisplayName, string? AvatarUrl, bool Deactivated);

/// <summary>Reads profiles of local users together with their accounts.</summary>
public sealed class ProfileReader(Database database)
{
    internal const string SqlFind =
        """
        select u.user_id, p.displayname, p.avatar_url, u.deactivated from users u left join profiles p using (user_id)
        where u.user_id = any($1)
        """;
    internal const string SqlPage =
        """
        select u.user_id, p.displayname, p.avatar_url, u.deactivated from users u left join profiles p using (user_id)
        where u.user_id > $1 order by u.user_id limit $2
        """;

    /// <summary>Users without an account are omitted.</summary>
    public async Task<List<ProfileRecord>> FindAsync(IReadOnlyCollection<string> userIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userIds.ToArray());
        return await ReadAsync(command, ct);
    }

    /// <summary>Accounts in order of their ids, after one of them.</summary>
    public async Task<List<ProfileRecord>> PageAsync(string afterUserId, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlPage);
        command.Parameters.AddWithValue(afterUserId);
        command.Parameters.AddWithValue(limit);
        return await ReadAsync(command, ct);
    }

    private static async Task<List<ProfileRecord>> ReadAsync(Npgsql.NpgsqlCommand command, CancellationToken ct)
    {
        var found = new List<ProfileRecord>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            found.Add(new(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.IsDBNull(2) ? null : r.GetString(2), r.GetBoolean(3)));
        return found;
    }
}

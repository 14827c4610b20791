using Npgsql;

namespace Matrix.Storage.Profiles;

/// <summary>A user's profile.</summary>
/// <param name="Fields">Further fields, a JSON object; null: none.</param>
public sealed record Profile(string UserId, string? DisplayName, string? AvatarUrl, byte[]? Fields)
{
    public static Profile Empty(string userId) => new(userId, null, null, null);
}

/// <summary>Profiles of this server's users. A user without a row has an empty profile; null: there is no such user, or he is deactivated.</summary>
public sealed class ProfileStore(Database database)
{
    internal const string SqlFind =
        """
        select u.user_id, p.displayname, p.avatar_url, p.fields from users u left join profiles p using (user_id)
        where u.user_id = $1 and not u.deactivated
        """;

    public async Task<Profile?> FindAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct)) return null;
        return new Profile(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.IsDBNull(2) ? null : r.GetString(2), r.IsDBNull(3) ? null : r.GetFieldValue<byte[]>(3));
    }
}

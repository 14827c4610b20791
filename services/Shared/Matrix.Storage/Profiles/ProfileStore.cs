using Matrix.Replication;
using Matrix.Storage.Streams;
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
    /// <remarks>The account's row serves as the lock: the profile's may not exist.</remarks>
    internal const string SqlFindForUpdate = SqlFind + " for no key update of u";
    internal const string SqlSet =
        """
        insert into profiles (user_id, displayname, avatar_url, fields) values ($1, $2, $3, $4)
        on conflict (user_id) do update set displayname = excluded.displayname, avatar_url = excluded.avatar_url, fields = excluded.fields
        """;

    public async Task<Profile?> FindAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        return await ReadAsync(command, ct);
    }

    /// <summary>
    /// Changes a profile by what <paramref name="change"/> makes of it; tells caches and the user directory. Null: there is no such user. The
    /// caller publishes what comes with it.
    /// </summary>
    public Task<(Profile? Profile, List<StreamBatch> Batches)> ChangeAsync(string userId, Func<Profile, Profile> change, CancellationToken ct) =>
        database.InTransactionAsync(async tx =>
        {
            await using var find = new NpgsqlCommand(SqlFindForUpdate, tx.Connection, tx);
            find.Parameters.AddWithValue(userId);
            if (await ReadAsync(find, ct) is not { } before) return (default(Profile), new List<StreamBatch>());
            var after = change(before);
            if (after == before) return (after, []);
            await using var set = new NpgsqlCommand(SqlSet, tx.Connection, tx);
            set.Parameters.AddWithValue(userId);
            set.Parameters.Add(StoreParameters.Text(after.DisplayName));
            set.Parameters.Add(StoreParameters.Text(after.AvatarUrl));
            set.Parameters.Add(StoreParameters.Bytes(after.Fields));
            await set.ExecuteNonQueryAsync(ct);
            return (after, await StreamStatement.AppendAsync(
                tx, [(Replication.Streams.Caches, "profile:" + userId, []), (Replication.Streams.UserDirectory, userId, [])], ct));
        }, ct);

    private static async Task<Profile?> ReadAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var r = await command.ExecuteReaderAsync(ct);
        if (!await r.ReadAsync(ct)) return null;
        return new Profile(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.IsDBNull(2) ? null : r.GetString(2), r.IsDBNull(3) ? null : r.GetFieldValue<byte[]>(3));
    }
}

namespace Matrix.Storage.AccountData;

/// <summary>Filters of users; the same filter of a user has one id.</summary>
public sealed class FilterStore(Database database)
{
    internal const string SqlAdd =
        """
        with known as (select filter_id from filters where user_id = $1 and filter_hash = $2),
        added as (
            insert into filters (user_id, filter_id, filter_hash, filter)
            select $1, (select coalesce(max(filter_id) + 1, 0) from filters where user_id = $1), $2, $3 where not exists (select 1 from known)
            on conflict do nothing returning filter_id)
        select filter_id from known union all select filter_id from added
        """;
    internal const string SqlGet = "select filter from filters where user_id = $1 and filter_id = $2";

    /// <summary>Its id, new or known.</summary>
    /// <param name="hash">SHA-256 of the canonical filter.</param>
    public async Task<long> AddAsync(string userId, byte[] hash, ReadOnlyMemory<byte> filter, CancellationToken ct)
    {
        while (true)
        {
            await using var command = database.Source.CreateCommand(SqlAdd);
            command.Parameters.AddWithValue(userId);
            command.Parameters.AddWithValue(hash);
            command.Parameters.AddWithValue(filter);
            // Null: another request took the same id in this moment; the next look sees it.
            if (await command.ExecuteScalarAsync(ct) is long id) return id;
        }
    }

    /// <summary>Null: no such filter of this user.</summary>
    public async Task<byte[]?> GetAsync(string userId, long filterId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlGet);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(filterId);
        return (byte[]?)await command.ExecuteScalarAsync(ct);
    }
}

namespace Matrix.Storage.Accounts;

/// <summary>Nonces of the shared-secret registration: each is used once, by any instance.</summary>
public sealed class RegistrationNonceStore(Database database)
{
    internal const string SqlAdd =
        """
        with old as (delete from registration_nonces where created_ts_ms < $3)
        insert into registration_nonces (nonce, created_ts_ms) values ($1, $2)
        """;
    internal const string SqlTake = "delete from registration_nonces where nonce = $1 and created_ts_ms >= $2 returning nonce";

    /// <summary>Keeps a nonce and forgets those from before <paramref name="expiredBeforeMs"/>.</summary>
    public async Task AddAsync(string nonce, long nowMs, long expiredBeforeMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAdd);
        command.Parameters.AddWithValue(nonce);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(expiredBeforeMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>False: unknown, used, or older than <paramref name="notBeforeMs"/>.</summary>
    public async Task<bool> TakeAsync(string nonce, long notBeforeMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlTake);
        command.Parameters.AddWithValue(nonce);
        command.Parameters.AddWithValue(notBeforeMs);
        return await command.ExecuteScalarAsync(ct) is not null;
    }
}

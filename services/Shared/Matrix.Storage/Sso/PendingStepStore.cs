using System.Security.Cryptography;
using System.Text;

namespace Matrix.Storage.Sso;

/// <summary>
/// Steps of a login that wait for a browser: found by a secret that the browser brings back, so that any instance goes on. Secrets are stored hashed.
/// </summary>
public sealed class PendingStepStore(Database database, TimeProvider clock)
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    internal const string SqlCreate =
        """
        with old as (delete from pending_steps where secret_hash in (select secret_hash from pending_steps where expires_ts_ms < $5 limit 100))
        insert into pending_steps (secret_hash, purpose, expires_ts_ms, data) values ($1, $2, $3, $4)
        """;
    internal const string SqlFind = "select data from pending_steps where secret_hash = $1 and purpose = $2 and expires_ts_ms > $3 and not used";
    internal const string SqlUpdate = "update pending_steps set data = $4 where secret_hash = $1 and purpose = $2 and expires_ts_ms > $3 and not used";
    internal const string SqlUse =
        "update pending_steps set used = true where secret_hash = $1 and purpose = $2 and expires_ts_ms > $3 and not used returning data";
    internal const string SqlFindUsed = "select data from pending_steps where secret_hash = $1 and purpose = $2 and used";

    /// <remarks>A mark that has expired may be set anew.</remarks>
    internal const string SqlMark =
        """
        with old as (delete from pending_steps where secret_hash in (select secret_hash from pending_steps where expires_ts_ms < $4 limit 100))
        insert into pending_steps (secret_hash, purpose, expires_ts_ms, used, data) values ($1, $2, $3, true, '') on conflict (secret_hash) do nothing
        """;

    /// <summary>254 bits, letters and digits.</summary>
    public static string NewSecret() => RandomNumberGenerator.GetString(Letters, 43);

    public static byte[] Hash(string secret) => SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    /// <summary>Keeps a step; the secret that finds it.</summary>
    public async Task<string> CreateAsync(string purpose, byte[] data, TimeSpan lifetime, CancellationToken ct)
    {
        var secret = NewSecret();
        var now = clock.GetUtcNow();
        await using var command = database.Source.CreateCommand(SqlCreate);
        command.Parameters.AddWithValue(Hash(secret));
        command.Parameters.AddWithValue(purpose);
        command.Parameters.AddWithValue((now + lifetime).ToUnixTimeMilliseconds());
        command.Parameters.AddWithValue(data);
        command.Parameters.AddWithValue(now.ToUnixTimeMilliseconds());
        await command.ExecuteNonQueryAsync(ct);
        return secret;
    }

    /// <summary>Notes that something was shown; false: it was before.</summary>
    public async Task<bool> MarkAsync(string purpose, string name, DateTimeOffset until, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMark);
        command.Parameters.AddWithValue(Hash($"{purpose} {name}"));
        command.Parameters.AddWithValue(purpose);
        command.Parameters.AddWithValue(until.ToUnixTimeMilliseconds());
        command.Parameters.AddWithValue(clock.GetUtcNow().ToUnixTimeMilliseconds());
        return await command.ExecuteNonQueryAsync(ct) > 0;
    }

    /// <summary>Null: unknown, used or expired.</summary>
    public Task<byte[]?> FindAsync(string purpose, string secret, CancellationToken ct) => ReadAsync(SqlFind, purpose, secret, ct);

    /// <summary>Takes the step: nobody gets it again. Null: unknown, used or expired.</summary>
    public Task<byte[]?> UseAsync(string purpose, string secret, CancellationToken ct) => ReadAsync(SqlUse, purpose, secret, ct);

    /// <summary>A step that was taken before; null: it was not. Somebody who comes with one repeats what was said to another.</summary>
    public async Task<byte[]?> FindUsedAsync(string purpose, string secret, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFindUsed);
        command.Parameters.AddWithValue(Hash(secret));
        command.Parameters.AddWithValue(purpose);
        return (byte[]?)await command.ExecuteScalarAsync(ct);
    }

    /// <summary>False: unknown, used or expired.</summary>
    public async Task<bool> UpdateAsync(string purpose, string secret, byte[] data, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUpdate);
        command.Parameters.AddWithValue(Hash(secret));
        command.Parameters.AddWithValue(purpose);
        command.Parameters.AddWithValue(clock.GetUtcNow().ToUnixTimeMilliseconds());
        command.Parameters.AddWithValue(data);
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    private async Task<byte[]?> ReadAsync(string sql, string purpose, string secret, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(Hash(secret));
        command.Parameters.AddWithValue(purpose);
        command.Parameters.AddWithValue(clock.GetUtcNow().ToUnixTimeMilliseconds());
        return (byte[]?)await command.ExecuteScalarAsync(ct);
    }
}

using Npgsql;
using NpgsqlTypes;

namespace Matrix.Storage.Accounts;

/// <summary>Lets somebody register.</summary>
/// <param name="UsesAllowed">Null: without limit.</param>
/// <param name="Pending">Registrations under way that have shown it.</param>
/// <param name="ExpiryTsMs">Null: never.</param>
public sealed record RegistrationTokenRecord(string Token, int? UsesAllowed, int Pending, int Completed, long? ExpiryTsMs);

/// <summary>
/// Registration tokens. A use is pending from when a registration shows the token until it is complete or forgotten, so no token is used more often than
/// it may, whichever instances are asked.
/// </summary>
public sealed class RegistrationTokenStore(Database database)
{
    /// <remarks>$1 null: all; otherwise only those that are valid, or are not, at $2.</remarks>
    internal const string SqlList =
        """
        select token, uses_allowed, pending, completed, expiry_ts_ms from registration_tokens t
        where $1::boolean is null or $1 = ((uses_allowed is null or uses_allowed > pending + completed) and (expiry_ts_ms is null or expiry_ts_ms > $2))
        order by token
        """;
    internal const string SqlFind = "select token, uses_allowed, pending, completed, expiry_ts_ms from registration_tokens where token = $1";
    internal const string SqlCreate =
        "insert into registration_tokens (token, uses_allowed, expiry_ts_ms) values ($1, $2, $3) on conflict (token) do nothing";
    internal const string SqlUpdate =
        """
        update registration_tokens set uses_allowed = case when $2 then $3 else uses_allowed end, expiry_ts_ms = case when $4 then $5 else expiry_ts_ms end
        where token = $1 returning token, uses_allowed, pending, completed, expiry_ts_ms
        """;
    internal const string SqlDelete = "delete from registration_tokens where token = $1";
    internal const string SqlIsValid =
        """
        select exists (select 1 from registration_tokens where token = $1
            and (uses_allowed is null or uses_allowed > pending + completed) and (expiry_ts_ms is null or expiry_ts_ms > $2))
        """;
    internal const string SqlKnownUse = "select token from registration_token_uses where session_id = $1";
    /// <remarks>The row lock of the update makes those who want the last use take turns; the second finds it gone.</remarks>
    internal const string SqlUse =
        """
        with taken as (
            update registration_tokens set pending = pending + 1 where token = $2
                and (uses_allowed is null or uses_allowed > pending + completed) and (expiry_ts_ms is null or expiry_ts_ms > $3)
                and not exists (select 1 from registration_token_uses u where u.session_id = $1)
            returning token)
        insert into registration_token_uses (session_id, token, created_ts_ms) select $1, token, $3 from taken
        """;
    /// <remarks>Sessions that were never completed.</remarks>
    internal const string SqlExpireUses =
        """
        with gone as (
            delete from registration_token_uses where session_id in (
                select session_id from registration_token_uses where created_ts_ms < $1 order by created_ts_ms limit $2 for update skip locked)
            returning token),
        counted as (select token, count(*)::int as n from gone group by token)
        update registration_tokens t set pending = greatest(t.pending - c.n, 0) from counted c where t.token = c.token
        """;

    /// <param name="valid">Null: all.</param>
    public async Task<List<RegistrationTokenRecord>> ListAsync(bool? valid, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlList);
        command.Parameters.Add(new NpgsqlParameter { Value = (object?)valid ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Boolean });
        command.Parameters.AddWithValue(nowMs);
        await using var r = await command.ExecuteReaderAsync(ct);
        var list = new List<RegistrationTokenRecord>();
        while (await r.ReadAsync(ct)) list.Add(Read(r));
        return list;
    }

    /// <summary>Null: unknown.</summary>
    public async Task<RegistrationTokenRecord?> FindAsync(string token, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(token);
        return await ReadOneAsync(command, ct);
    }

    /// <summary>False: there is one of that name.</summary>
    public async Task<bool> CreateAsync(string token, int? usesAllowed, long? expiryTsMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCreate);
        command.Parameters.AddWithValue(token);
        command.Parameters.Add(Int(usesAllowed));
        command.Parameters.Add(StoreParameters.BigInt(expiryTsMs));
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    /// <summary>Sets what is given (a value of null means: without limit). Null: unknown.</summary>
    public async Task<RegistrationTokenRecord?> UpdateAsync(string token, (int? Value, bool Set) usesAllowed, (long? Value, bool Set) expiryTsMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUpdate);
        command.Parameters.AddWithValue(token);
        command.Parameters.AddWithValue(usesAllowed.Set);
        command.Parameters.Add(Int(usesAllowed.Value));
        command.Parameters.AddWithValue(expiryTsMs.Set);
        command.Parameters.Add(StoreParameters.BigInt(expiryTsMs.Value));
        return await ReadOneAsync(command, ct);
    }

    /// <summary>False: unknown.</summary>
    public async Task<bool> DeleteAsync(string token, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDelete);
        command.Parameters.AddWithValue(token);
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    public async Task<bool> IsValidAsync(string token, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlIsValid);
        command.Parameters.AddWithValue(token);
        command.Parameters.AddWithValue(nowMs);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>A registration shows a token. False: the token is not valid. A session that has shown one needs no other.</summary>
    public async Task<bool> UseAsync(string sessionId, string token, long nowMs, CancellationToken ct)
    {
        await using var known = database.Source.CreateCommand(SqlKnownUse);
        known.Parameters.AddWithValue(sessionId);
        if (await known.ExecuteScalarAsync(ct) is not null) return true;
        await using var command = database.Source.CreateCommand(SqlUse);
        command.Parameters.AddWithValue(sessionId);
        command.Parameters.AddWithValue(token);
        command.Parameters.AddWithValue(nowMs);
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    /// <summary>Takes back the uses of registrations that were begun before a time and never ended, at most so many.</summary>
    public async Task<int> ExpireUsesAsync(long beforeMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlExpireUses);
        command.Parameters.AddWithValue(beforeMs);
        command.Parameters.AddWithValue(limit);
        return await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<RegistrationTokenRecord?> ReadOneAsync(NpgsqlCommand command, CancellationToken ct)
    {
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct) ? Read(r) : null;
    }

    private static RegistrationTokenRecord Read(NpgsqlDataReader r) =>
        new(r.GetString(0), r.IsDBNull(1) ? null : r.GetInt32(1), r.GetInt32(2), r.GetInt32(3), r.IsDBNull(4) ? null : r.GetInt64(4));

    private static NpgsqlParameter Int(int? value) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Integer };
}

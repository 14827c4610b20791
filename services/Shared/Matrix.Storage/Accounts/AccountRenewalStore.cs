using Matrix.Storage.Streams;

namespace Matrix.Storage.Accounts;

/// <summary>An account that ends soon.</summary>
public sealed record EndingAccount(string UserId, string? DisplayName, long ExpiresTsMs);

/// <param name="ExpiresTsMs">When the account ends now; null: nobody knows the token.</param>
/// <param name="IsFirst">The token had not been used before: the account lasts longer.</param>
public sealed record RenewalResult(long? ExpiresTsMs, bool IsFirst, IReadOnlyList<StreamBatch> Batches);

/// <summary>Accounts that end, who is asked to renew them, and the links by which they do.</summary>
public sealed class AccountRenewalStore(Database database)
{
    // Marked as asked before the mail goes out: two instances never write to the same user.
    internal const string SqlClaim =
        """
        with due as (
            select u.user_id from users u
            where u.expires_ts_ms > $1 and u.expires_ts_ms <= $2 and not u.deactivated and u.renewal_mailed_for_ts_ms is distinct from u.expires_ts_ms
            order by u.expires_ts_ms limit $3 for update skip locked)
        update users u set renewal_mailed_for_ts_ms = u.expires_ts_ms from due d
        where u.user_id = d.user_id
        returning u.user_id, (select p.displayname from profiles p where p.user_id = u.user_id), u.expires_ts_ms
        """;
    internal const string SqlUnclaim = "update users set renewal_mailed_for_ts_ms = null where user_id = $1";
    internal const string SqlMarkAsked = "update users set renewal_mailed_for_ts_ms = expires_ts_ms where user_id = $1";
    internal const string SqlFind =
        "select u.user_id, (select p.displayname from profiles p where p.user_id = u.user_id), u.expires_ts_ms from users u where u.user_id = $1 and u.expires_ts_ms is not null";
    internal const string SqlAdd =
        """
        with old as (delete from account_renewals where user_id = $2 and created_ts_ms < $4)
        insert into account_renewals (token_hash, user_id, created_ts_ms) values ($1, $2, $3)
        """;
    internal const string SqlUse = "update account_renewals set used_ts_ms = $2 where token_hash = $1 and used_ts_ms is null returning user_id";
    internal const string SqlRenew =
        """
        with changed as (
            update users set expires_ts_ms = $2, renewal_mailed_for_ts_ms = null where user_id = $1 and not deactivated returning user_id),
        stream_input as (
            select 'caches'::text as stream, 'user:' || c.user_id as key, ''::bytea as payload from changed c)
        """ + StreamStatement.Tail;
    internal const string SqlUsed =
        "select u.expires_ts_ms from account_renewals r join users u using (user_id) where r.token_hash = $1 and u.expires_ts_ms is not null and not u.deactivated";
    /// <remarks>Accounts that were there before accounts ended. Application services' and guests' do not.</remarks>
    internal const string SqlBegin =
        """
        with open as (
            select user_id from users where expires_ts_ms is null and not deactivated and not is_guest and appservice_id is null limit $2 for update skip locked)
        update users u set expires_ts_ms = $1 from open o where u.user_id = o.user_id
        """;

    /// <summary>Accounts that end in a span of time and whose users were not asked yet; they count as asked from now on.</summary>
    public async Task<List<EndingAccount>> ClaimAsync(long afterMs, long untilMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlClaim);
        command.Parameters.AddWithValue(afterMs);
        command.Parameters.AddWithValue(untilMs);
        command.Parameters.AddWithValue(limit);
        return await ReadAsync(command, ct);
    }

    /// <summary>The mail did not go out: another try.</summary>
    public async Task UnclaimAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUnclaim);
        command.Parameters.AddWithValue(userId);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The user is not asked about the end that his account has now.</summary>
    public async Task MarkAskedAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlMarkAsked);
        command.Parameters.AddWithValue(userId);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Null: there is no such account, or it never ends.</summary>
    public async Task<EndingAccount?> FindAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        return (await ReadAsync(command, ct)).FirstOrDefault();
    }

    /// <summary>Notes a link, and forgets those of the user that were made before <paramref name="oldBeforeMs"/>.</summary>
    public async Task AddAsync(byte[] tokenHash, string userId, long nowMs, long oldBeforeMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAdd);
        command.Parameters.AddWithValue(tokenHash);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(nowMs);
        command.Parameters.AddWithValue(oldBeforeMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The account of a link lasts until <paramref name="expiresTsMs"/>; once for each link.</summary>
    public async Task<RenewalResult> RenewAsync(byte[] tokenHash, long expiresTsMs, long nowMs, CancellationToken ct)
    {
        await using var connection = await database.Source.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await using var use = new Npgsql.NpgsqlCommand(SqlUse, connection, tx);
        use.Parameters.AddWithValue(tokenHash);
        use.Parameters.AddWithValue(nowMs);
        if (await use.ExecuteScalarAsync(ct) is not string user)
        {
            await using var used = new Npgsql.NpgsqlCommand(SqlUsed, connection, tx);
            used.Parameters.AddWithValue(tokenHash);
            return new(await used.ExecuteScalarAsync(ct) as long?, false, []);
        }
        IReadOnlyList<StreamBatch> batches;
        await using (var renew = new Npgsql.NpgsqlCommand(SqlRenew, connection, tx))
        {
            renew.Parameters.AddWithValue(user);
            renew.Parameters.AddWithValue(expiresTsMs);
            await using var reader = await renew.ExecuteReaderAsync(ct);
            batches = await StreamStatement.ReadAsync(reader, ct);
        }
        await tx.CommitAsync(ct);
        return batches.Count == 0 ? new(null, false, []) : new(expiresTsMs, true, batches);
    }

    /// <summary>Accounts without an end get one; how many did.</summary>
    public async Task<int> BeginAsync(long expiresTsMs, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlBegin);
        command.Parameters.AddWithValue(expiresTsMs);
        command.Parameters.AddWithValue(limit);
        return await command.ExecuteNonQueryAsync(ct);
    }

    private static async Task<List<EndingAccount>> ReadAsync(Npgsql.NpgsqlCommand command, CancellationToken ct)
    {
        var list = new List<EndingAccount>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) list.Add(new(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.GetInt64(2)));
        return list;
    }
}

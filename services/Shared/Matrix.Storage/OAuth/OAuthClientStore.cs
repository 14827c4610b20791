namespace Matrix.Storage.OAuth;

/// <summary>Clients of the OAuth 2.0 API, as they described themselves.</summary>
public sealed class OAuthClientStore(Database database, TimeProvider clock)
{
    /// <summary>A registration without any session is forgotten after this; clients register anew before each login.</summary>
    private static readonly TimeSpan Unused = TimeSpan.FromDays(30);

    internal const string SqlSave =
        """
        with old as (
            delete from oauth_clients where client_id in (
                select c.client_id from oauth_clients c
                where c.registered_ts_ms < $4 and c.client_id <> $1 and not exists (select 1 from oauth_sessions s where s.client_id = c.client_id)
                order by c.registered_ts_ms limit 20))
        insert into oauth_clients (client_id, metadata, registered_ts_ms) values ($1, $2, $3)
        on conflict (client_id) do update set registered_ts_ms = excluded.registered_ts_ms
        """;
    internal const string SqlFind = "select metadata from oauth_clients where client_id = $1";

    public async Task SaveAsync(string clientId, byte[] metadata, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        await using var command = database.Source.CreateCommand(SqlSave);
        command.Parameters.AddWithValue(clientId);
        command.Parameters.AddWithValue(metadata);
        command.Parameters.AddWithValue(now.ToUnixTimeMilliseconds());
        command.Parameters.AddWithValue((now - Unused).ToUnixTimeMilliseconds());
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>The metadata; null: no such client.</summary>
    public async Task<byte[]?> FindAsync(string clientId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(clientId);
        return (byte[]?)await command.ExecuteScalarAsync(ct);
    }
}

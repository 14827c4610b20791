using Npgsql;

namespace Matrix.Storage.Federation;

/// <summary>A verification key of another server.</summary>
/// <param name="KeyId"><c>ed25519:version</c>.</param>
/// <param name="PublicKey">32 raw bytes.</param>
/// <param name="ValidUntilTsMs">What is signed after this is not believed; for a retired key, when it was retired.</param>
public sealed record ServerKeyRecord(string ServerName, string KeyId, byte[] PublicKey, long ValidUntilTsMs, long FetchedTsMs);

/// <summary>Table server_keys: the keys of other servers, as they gave them themselves.</summary>
public sealed class ServerKeyStore(Database database)
{
    internal const string SqlFind =
        "select server_name, key_id, public_key, valid_until_ts_ms, fetched_ts_ms from server_keys where server_name = $1 and key_id = $2";
    internal const string SqlUpsert =
        """
        insert into server_keys (server_name, key_id, public_key, valid_until_ts_ms, fetched_ts_ms)
        select $1, k.key_id, k.public_key, k.valid_until, $5 from unnest($2::text[], $3::bytea[], $4::bigint[]) as k(key_id, public_key, valid_until)
        on conflict (server_name, key_id) do update
        set public_key = excluded.public_key, valid_until_ts_ms = excluded.valid_until_ts_ms, fetched_ts_ms = excluded.fetched_ts_ms
        where server_keys.fetched_ts_ms <= excluded.fetched_ts_ms
        """;

    /// <summary>Null: never seen.</summary>
    public async Task<ServerKeyRecord?> FindAsync(string serverName, string keyId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(serverName);
        command.Parameters.AddWithValue(keyId);
        await using var r = await command.ExecuteReaderAsync(ct);
        return await r.ReadAsync(ct)
            ? new(r.GetString(0), r.GetString(1), r.GetFieldValue<byte[]>(2), r.GetInt64(3), r.GetInt64(4))
            : null;
    }

    /// <summary>Keys of one server; a newer answer of it replaces an older one.</summary>
    public async Task UpsertAsync(string serverName, IReadOnlyCollection<ServerKeyRecord> keys, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlUpsert);
        command.Parameters.AddWithValue(serverName);
        command.Parameters.AddWithValue(keys.Select(k => k.KeyId).ToArray());
        command.Parameters.AddWithValue(keys.Select(k => k.PublicKey).ToArray());
        command.Parameters.AddWithValue(keys.Select(k => k.ValidUntilTsMs).ToArray());
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }
}

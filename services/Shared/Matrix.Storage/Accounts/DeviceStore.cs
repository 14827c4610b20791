using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Storage.Accounts;

public sealed record DeviceRecord(string DeviceId, string? DisplayName, long? LastSeenTsMs, string? LastSeenIp);

/// <summary>Devices of users. Removing one removes its tokens, its pushers and what waits for it.</summary>
public sealed class DeviceStore(Database database)
{
    internal const string SqlList = "select device_id, display_name, last_seen_ts_ms, last_seen_ip from devices where user_id = $1 order by device_id";
    internal const string SqlFind = "select device_id, display_name, last_seen_ts_ms, last_seen_ip from devices where user_id = $1 and device_id = $2";
    internal const string SqlIsKey = "select exists (select 1 from cross_signing_keys where user_id = $1 and public_key = $2)";
    /// <remarks>Nothing is returned for a device that was there.</remarks>
    internal const string SqlCreate =
        """
        with made as (
            insert into devices (user_id, device_id, display_name, created_ts_ms) values ($1, $2, $3, $5) on conflict do nothing returning device_id),
        stream_input as (select 'device_lists'::text as stream, $1::text as key, $4::bytea as payload from made)
        """ + StreamStatement.Tail;
    internal const string SqlRename =
        """
        with renamed as (
            update devices set display_name = $3 where user_id = $1 and device_id = $2 and display_name is distinct from $3 returning device_id),
        stream_input as (select 'device_lists'::text as stream, $1 as key, $4::bytea as payload from renamed)
        """ + StreamStatement.Tail;
    /// <remarks>$2 null: all devices of the user.</remarks>
    internal const string SqlDelete =
        """
        with gone as (delete from devices where user_id = $1 and ($2::text[] is null or device_id = any($2)) returning device_id),
        gone_tokens as (
            delete from access_tokens where user_id = $1 and ($2::text[] is null or device_id = any($2)) returning token_hash),
        gone_refresh as (delete from refresh_tokens where user_id = $1 and ($2::text[] is null or device_id = any($2))),
        gone_messages as (delete from to_device_messages where user_id = $1 and ($2::text[] is null or device_id = any($2))),
        gone_pushers as (delete from pushers where user_id = $1 and ($2::text[] is null or device_id = any($2)) returning pushkey),
        stream_input as (
            select 'caches'::text as stream, 'token:' || encode(t.token_hash, 'hex') as key, ''::bytea as payload from gone_tokens t
            union all select 'device_lists', $1, $3 from (select count(*) as n from gone) d where d.n > 0
            union all select 'pushers', $1, ''::bytea from (select count(*) as n from gone_pushers) p where p.n > 0)
        """ + StreamStatement.Tail;

    public async Task<List<DeviceRecord>> ListAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlList);
        command.Parameters.AddWithValue(userId);
        return await DevicesAsync(command, ct);
    }

    /// <summary>Null: no such device.</summary>
    public async Task<DeviceRecord?> FindAsync(string userId, string deviceId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        return (await DevicesAsync(command, ct)).FirstOrDefault();
    }

    /// <summary>Fewest characters of a public key: what is shorter is the name of a device alone.</summary>
    private const int ShortestKey = 40;

    /// <summary>Whether one of the user's cross-signing keys is called so: no device may be.</summary>
    public async Task<bool> IsKeyAsync(string userId, string deviceId, CancellationToken ct)
    {
        if (deviceId.Length < ShortestKey) return false;
        await using var command = database.Source.CreateCommand(SqlIsKey);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>A device without a session, for an application service. Nothing when there is such a device.</summary>
    public async Task<IReadOnlyList<StreamBatch>> CreateAsync(string userId, string deviceId, string? displayName, long nowMs, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlCreate);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        command.Parameters.Add(StoreParameters.Text(displayName));
        command.Parameters.AddWithValue(new DeviceListRow(deviceId).Encode());
        command.Parameters.AddWithValue(nowMs);
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }

    /// <summary>Changes nothing when there is no such device.</summary>
    public async Task<IReadOnlyList<StreamBatch>> RenameAsync(string userId, string deviceId, string? displayName, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRename);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(deviceId);
        command.Parameters.Add(StoreParameters.Text(displayName));
        command.Parameters.AddWithValue(new DeviceListRow(deviceId).Encode());
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }

    /// <summary>Removes these devices, or all (null).</summary>
    public async Task<IReadOnlyList<StreamBatch>> DeleteAsync(string userId, IReadOnlyCollection<string>? deviceIds, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDelete);
        command.Parameters.AddWithValue(userId);
        command.Parameters.Add(new NpgsqlParameter
        {
            Value = deviceIds is null ? DBNull.Value : deviceIds.ToArray(),
            NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Array | NpgsqlTypes.NpgsqlDbType.Text,
        });
        command.Parameters.AddWithValue(new DeviceListRow(deviceIds is { Count: 1 } ? deviceIds.First() : null).Encode());
        await using var reader = await command.ExecuteReaderAsync(ct);
        return await StreamStatement.ReadAsync(reader, ct);
    }

    private static async Task<List<DeviceRecord>> DevicesAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var devices = new List<DeviceRecord>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            devices.Add(new(r.GetString(0), r.IsDBNull(1) ? null : r.GetString(1), r.IsDBNull(2) ? null : r.GetInt64(2), r.IsDBNull(3) ? null : r.GetString(3)));
        return devices;
    }
}

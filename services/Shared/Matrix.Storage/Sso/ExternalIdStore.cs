using Npgsql;

namespace Matrix.Storage.Sso;

/// <summary>A user's name at a provider.</summary>
public sealed record ExternalId(string AuthProvider, string Id);

/// <summary>Which account belongs to whom at a provider.</summary>
public sealed class ExternalIdStore(Database database)
{
    internal const string SqlFind =
        """
        select u.user_id from user_external_ids e join users u on u.user_id = e.user_id
        where e.auth_provider = $1 and e.external_id = $2
        """;
    internal const string SqlLink =
        """
        insert into user_external_ids (auth_provider, external_id, user_id) values ($1, $2, $3)
        on conflict (auth_provider, external_id) do update set user_id = user_external_ids.user_id returning user_id
        """;
    internal const string SqlList = "select auth_provider, external_id from user_external_ids where user_id = $1 order by auth_provider, external_id";
    internal const string SqlDevices =
        """
        select d.user_id, d.device_id from sso_devices d where d.auth_provider = $1 and d.auth_provider_session = $2
            and ($3::text is null or exists (
                select 1 from user_external_ids e where e.auth_provider = $1 and e.external_id = $3 and e.user_id = d.user_id))
        """;

    /// <summary>The account; null: there is none for this identity.</summary>
    public async Task<string?> FindAsync(ExternalId id, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlFind);
        command.Parameters.AddWithValue(id.AuthProvider);
        command.Parameters.AddWithValue(id.Id);
        return (string?)await command.ExecuteScalarAsync(ct);
    }

    /// <summary>Links an identity to an account unless it is linked; the account that it belongs to now.</summary>
    public async Task<string> LinkAsync(ExternalId id, string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlLink);
        command.Parameters.AddWithValue(id.AuthProvider);
        command.Parameters.AddWithValue(id.Id);
        command.Parameters.AddWithValue(userId);
        return (string)(await command.ExecuteScalarAsync(ct))!;
    }

    public async Task<List<ExternalId>> ListAsync(string userId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlList);
        command.Parameters.AddWithValue(userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        var ids = new List<ExternalId>();
        while (await r.ReadAsync(ct)) ids.Add(new(r.GetString(0), r.GetString(1)));
        return ids;
    }

    /// <summary>Devices that came in through a session at a provider.</summary>
    /// <param name="externalId">Only of this identity; null: whoever it is.</param>
    public async Task<List<(string UserId, string DeviceId)>> DevicesOfSessionAsync(string authProvider, string session, string? externalId, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlDevices);
        command.Parameters.AddWithValue(authProvider);
        command.Parameters.AddWithValue(session);
        command.Parameters.Add(StoreParameters.Text(externalId));
        await using var r = await command.ExecuteReaderAsync(ct);
        var devices = new List<(string, string)>();
        while (await r.ReadAsync(ct)) devices.Add((r.GetString(0), r.GetString(1)));
        return devices;
    }
}

using Npgsql;

namespace Matrix.Storage.Accounts;

public sealed record ThreepidRecord(string Medium, string Address, long ValidatedTsMs, long AddedTsMs);

/// <summary>Addresses of accounts, and where this server bound them. Addresses are canonical here: lower case, digits.</summary>
public sealed class ThreepidStore(Database database)
{
    internal const string SqlList = "select medium, address, validated_ts_ms, added_ts_ms from user_threepids where user_id = $1 order by added_ts_ms, address";
    internal const string SqlOwner = "select user_id from user_threepids where medium = $1 and address = $2";
    /// <remarks>An address moves to whoever has proved it last. Synapse: as here.</remarks>
    internal const string SqlAdd =
        """
        insert into user_threepids (medium, address, user_id, validated_ts_ms, added_ts_ms) values ($1, $2, $3, $4, $5)
        on conflict (medium, address) do update set user_id = excluded.user_id, validated_ts_ms = excluded.validated_ts_ms,
            added_ts_ms = case when user_threepids.user_id = excluded.user_id then user_threepids.added_ts_ms else excluded.added_ts_ms end
        """;
    internal const string SqlRemove = "delete from user_threepids where user_id = $1 and medium = $2 and address = $3";
    internal const string SqlBind =
        "insert into threepid_bindings (user_id, medium, address, id_server) values ($1, $2, $3, $4) on conflict do nothing";
    internal const string SqlUnbind = "delete from threepid_bindings where user_id = $1 and medium = $2 and address = $3 and id_server = $4";
    internal const string SqlBindings = "select id_server from threepid_bindings where user_id = $1 and medium = $2 and address = $3 order by id_server";
    internal const string SqlAllBindings = "select medium, address, id_server from threepid_bindings where user_id = $1 order by medium, address, id_server";

    public async Task<List<ThreepidRecord>> ListAsync(string userId, CancellationToken ct)
    {
        await using var command = Command(SqlList, userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        var list = new List<ThreepidRecord>();
        while (await r.ReadAsync(ct)) list.Add(new(r.GetString(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3)));
        return list;
    }

    /// <summary>Null: nobody's.</summary>
    public async Task<string?> OwnerAsync(string medium, string address, CancellationToken ct)
    {
        await using var command = Command(SqlOwner, medium, address);
        return (string?)await command.ExecuteScalarAsync(ct);
    }

    public async Task AddAsync(string userId, ProvedAddress address, long nowMs, CancellationToken ct)
    {
        await using var command = Command(SqlAdd, address.Medium, address.Address, userId);
        command.Parameters.AddWithValue(address.ValidatedTsMs);
        command.Parameters.AddWithValue(nowMs);
        await command.ExecuteNonQueryAsync(ct);
    }

    public async Task RemoveAsync(string userId, string medium, string address, CancellationToken ct)
    {
        await using var command = Command(SqlRemove, userId, medium, address);
        await command.ExecuteNonQueryAsync(ct);
    }

    public async Task NoteBindingAsync(string userId, string medium, string address, string idServer, CancellationToken ct)
    {
        await using var command = Command(SqlBind, userId, medium, address, idServer);
        await command.ExecuteNonQueryAsync(ct);
    }

    public async Task ForgetBindingAsync(string userId, string medium, string address, string idServer, CancellationToken ct)
    {
        await using var command = Command(SqlUnbind, userId, medium, address, idServer);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Identity servers where this server bound the address.</summary>
    public async Task<List<string>> BindingsAsync(string userId, string medium, string address, CancellationToken ct)
    {
        await using var command = Command(SqlBindings, userId, medium, address);
        await using var r = await command.ExecuteReaderAsync(ct);
        var servers = new List<string>();
        while (await r.ReadAsync(ct)) servers.Add(r.GetString(0));
        return servers;
    }

    public async Task<List<(string Medium, string Address, string IdServer)>> BindingsAsync(string userId, CancellationToken ct)
    {
        await using var command = Command(SqlAllBindings, userId);
        await using var r = await command.ExecuteReaderAsync(ct);
        var bindings = new List<(string, string, string)>();
        while (await r.ReadAsync(ct)) bindings.Add((r.GetString(0), r.GetString(1), r.GetString(2)));
        return bindings;
    }

    private NpgsqlCommand Command(string sql, params ReadOnlySpan<string> values)
    {
        var command = database.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        return command;
    }
}

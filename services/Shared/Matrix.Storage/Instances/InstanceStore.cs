using Matrix.Replication;
using Npgsql;

namespace Matrix.Storage.Instances;

/// <summary>The table <c>instances</c>.</summary>
internal sealed class InstanceStore
{
    /// <summary>Heartbeats of <paramref name="own"/> and the list of all, in one round trip. Second: has a fresh heartbeat.</summary>
    public static async Task<List<(ServiceInstance Instance, bool IsAlive)>> BeatAndListAsync(
        NpgsqlConnection connection, IReadOnlyList<ServiceInstance> own, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection);
        // Sorted: a deadlock needs two orders.
        foreach (var instance in own.OrderBy(i => i.Name, StringComparer.Ordinal)) batch.BatchCommands.Add(Heartbeat(instance));
        batch.BatchCommands.Add(new NpgsqlBatchCommand(InstanceSql.List));
        await using var reader = await batch.ExecuteReaderAsync(ct);
        for (var i = 0; i < own.Count; i++) await reader.NextResultAsync(ct);
        var list = new List<(ServiceInstance, bool)>();
        while (await reader.ReadAsync(ct))
        {
            list.Add((
                new ServiceInstance(
                    reader.GetString(0), reader.GetString(1), reader.GetString(2), reader.GetString(3), reader.GetString(4), reader.GetInt64(5)),
                reader.GetBoolean(6)));
        }
        return list;
    }

    public static async Task RemoveAsync(NpgsqlConnection connection, IReadOnlyList<ServiceInstance> own, CancellationToken ct)
    {
        await using var batch = new NpgsqlBatch(connection);
        foreach (var instance in own.OrderBy(i => i.Name, StringComparer.Ordinal))
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(InstanceSql.Remove)
            {
                Parameters = { new NpgsqlParameter<string> { TypedValue = instance.Name }, new NpgsqlParameter<long> { TypedValue = instance.StartedTsMs } },
            });
        }
        if (batch.BatchCommands.Count > 0) await batch.ExecuteNonQueryAsync(ct);
    }

    public static async Task RemoveLongDeadAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(InstanceSql.RemoveLongDead, connection);
        await command.ExecuteNonQueryAsync(ct);
    }

    private static NpgsqlBatchCommand Heartbeat(ServiceInstance instance) => new(InstanceSql.Heartbeat)
    {
        Parameters =
        {
            new NpgsqlParameter<string> { TypedValue = instance.Name },
            new NpgsqlParameter<string> { TypedValue = instance.Service },
            new NpgsqlParameter<string> { TypedValue = instance.Group },
            new NpgsqlParameter<string> { TypedValue = instance.Address },
            new NpgsqlParameter<string> { TypedValue = instance.InternalAddress },
            new NpgsqlParameter<long> { TypedValue = instance.StartedTsMs },
        },
    };
}

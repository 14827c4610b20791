using Npgsql;

namespace Matrix.Storage.Instances;

/// <summary>Duties that one process at a time should do. A lease saves work; nothing may rely on it for correctness.</summary>
public sealed class LeaseStore(Database database)
{
    /// <summary>True: this holder has it now, for <paramref name="duration"/> by the clock of the database; also when it had it before.</summary>
    public Task<bool> TryTakeAsync(string name, string holder, TimeSpan duration, CancellationToken ct) =>
        RunAsync(InstanceSql.TakeLease, name, holder, duration, ct);

    /// <summary>False: it expired or somebody else has it; the work has to stop.</summary>
    public Task<bool> RenewAsync(string name, string holder, TimeSpan duration, CancellationToken ct) =>
        RunAsync(InstanceSql.RenewLease, name, holder, duration, ct);

    /// <summary>False: it was no longer this holder's.</summary>
    public Task<bool> ReleaseAsync(string name, string holder, CancellationToken ct) => RunAsync(InstanceSql.ReleaseLease, name, holder, null, ct);

    private async Task<bool> RunAsync(string sql, string name, string holder, TimeSpan? duration, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = name });
        command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = holder });
        if (duration is { } d) command.Parameters.Add(new NpgsqlParameter<TimeSpan> { TypedValue = d });
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }
}

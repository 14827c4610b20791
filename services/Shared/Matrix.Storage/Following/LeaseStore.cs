namespace Matrix.Storage.Following;

/// <summary>Leases: who does a duty, until when, by the clock of the database. They give speed, never correctness.</summary>
public sealed class LeaseStore(Database database)
{
    internal const string SqlAcquire =
        """
        insert into leases (name, holder, expires) values ($1, $2, now() + $3)
        on conflict (name) do update set holder = excluded.holder, expires = excluded.expires
        where leases.holder = excluded.holder or leases.expires < now()
        """;
    internal const string SqlRelease = "delete from leases where name = $1 and holder = $2";

    /// <summary>Takes or renews; false while somebody else has it.</summary>
    public async Task<bool> TryAcquireAsync(string name, string holder, TimeSpan life, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAcquire);
        command.Parameters.AddWithValue(name);
        command.Parameters.AddWithValue(holder);
        command.Parameters.AddWithValue(life);
        return await command.ExecuteNonQueryAsync(ct) == 1;
    }

    public async Task ReleaseAsync(string name, string holder, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRelease);
        command.Parameters.AddWithValue(name);
        command.Parameters.AddWithValue(holder);
        await command.ExecuteNonQueryAsync(ct);
    }
}

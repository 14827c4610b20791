using Matrix.Replication;
using Npgsql;

namespace Matrix.Storage.Setup;

/// <summary>What must hold before a homeserver runs on a database. Run by the migrator and the monolith, after the schema is up to date.</summary>
public static class DatabaseChecks
{
    /// <summary>Every fault at once, warnings too; empty when all is well. A fault of the schema version hides those of the tables.</summary>
    public static async Task<IReadOnlyList<DatabaseFault>> RunAsync(NpgsqlDataSource source, bool allowUnsafeLocale, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        var faults = new List<DatabaseFault>();
        await CheckLocaleAsync(connection, allowUnsafeLocale, faults, ct);
        var version = await Migrations.ReadVersionAsync(connection, ct);
        if (version.Version < Migrations.Latest)
        {
            faults.Add(new DatabaseFault(
                $"The database has schema version {version.Version}, this release needs {Migrations.Latest}.", "Run the migrator of this release."));
        }
        else if (Migrations.FaultOf(version, Migrations.Latest) is { } newer)
        {
            faults.Add(newer);
        }
        if (version.Version == 0) return faults;
        await CheckCountersAsync(connection, faults, ct);
        await CheckSequencesAsync(connection, faults, ct);
        return faults;
    }

    private static async Task CheckLocaleAsync(NpgsqlConnection connection, bool allowUnsafeLocale, List<DatabaseFault> faults, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SetupSql.Locale, connection);
        await using var reader = await command.ExecuteReaderAsync(ct);
        await reader.ReadAsync(ct);
        var (encoding, collation, ctype) = (reader.GetString(0), reader.GetString(1), reader.GetString(2));
        var (synchronous, database) = (reader.GetString(3), reader.GetString(4));
        const string Recreate = "Dump it, create it anew and restore the dump:";
        var create = $"create database {database} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0;";
        if (encoding != "UTF8")
            faults.Add(new DatabaseFault($"The database's encoding is {encoding}, it has to be UTF8.", Recreate, create));
        if (collation is not ("C" or "POSIX") || ctype is not ("C" or "POSIX"))
        {
            // Sort order of another locale changes with the C library, and silently breaks indexes on text.
            faults.Add(new DatabaseFault(
                $"The database's collation is {collation} and its ctype {ctype}, both have to be C: others change with the operating system and then corrupt indexes.",
                allowUnsafeLocale ? "It is used because allow_unsafe_locale is set. " + Recreate : Recreate + " (or set database.allow_unsafe_locale: true)",
                create, IsWarning: allowUnsafeLocale));
        }
        if (synchronous == "off")
        {
            faults.Add(new DatabaseFault(
                "synchronous_commit is off: messages that were acknowledged can be lost in a crash.", "Switch it on:",
                $"alter database {database} set synchronous_commit = on;", IsWarning: true));
        }
    }

    private static async Task CheckCountersAsync(NpgsqlConnection connection, List<DatabaseFault> faults, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SetupSql.CountersBehind, connection);
        command.Parameters.Add(new() { Value = Replication.Streams.All.Where(s => !s.IsEphemeral).Select(s => s.Name).ToArray() });
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var stream = reader.GetString(0);
            var held = await reader.IsDBNullAsync(2, ct) ? 0 : reader.GetInt64(2);
            var counter = await reader.IsDBNullAsync(1, ct) ? "has no counter" : $"has its counter at {reader.GetInt64(1)}";
            faults.Add(new DatabaseFault(
                $"Stream {stream} {counter}, the tables hold positions up to {held}.", "Stop every service and run:",
                $"insert into stream_counters (stream, pos) values ('{stream}', {held}) on conflict (stream) do update set pos = excluded.pos;"));
        }
    }

    private static async Task CheckSequencesAsync(NpgsqlConnection connection, List<DatabaseFault> faults, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(SetupSql.SequencesBehind, connection);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var (sequence, table, column) = (reader.GetString(0), reader.GetString(1), reader.GetString(2));
            var given = await reader.IsDBNullAsync(3, ct) ? "has given out nothing" : $"has given out {reader.GetInt64(3)}";
            faults.Add(new DatabaseFault(
                $"Sequence {sequence} {given}, {table}.{column} holds {reader.GetInt64(4)}.", "Stop every service and run:",
                $"select setval('{sequence}', (select max({column}) from {table}));"));
        }
    }
}

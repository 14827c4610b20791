using System.Net.Sockets;
using Matrix.ServiceDefaults;
using Matrix.Storage.Setup;
using Npgsql;

namespace Matrix.Migrator;

/// <summary>Exit codes of the migrator; docs/running.md lists them.</summary>
internal enum MigratorExit
{
    Done = 0,
    /// <summary>homeserver.yaml is wrong.</summary>
    Configuration = 2,
    /// <summary>The database cannot be reached, or refuses this user.</summary>
    Unreachable = 3,
    /// <summary>The database is there, but this release must not run on it.</summary>
    Checks = 4,
}

/// <summary>Creates the database when it is missing, brings the schema up to date, checks what must hold.</summary>
internal static class MigratorRun
{
    public static async Task<MigratorExit> RunAsync(DatabaseConfig config, TextWriter output, TextWriter errors, CancellationToken ct)
    {
        try
        {
            if (await DatabaseSetup.EnsureExistsAsync(config.ConnectionString, ct)) await output.WriteLineAsync("Created the database.");
            await using var source = DatabaseSetup.CreateDataSource(config.ConnectionString, 0, 2, "armada-migrator");
            var applied = await Migrations.ApplyAsync(source, ct);
            foreach (var migration in applied) await output.WriteLineAsync($"Applied {migration.Version:0000}_{migration.Name}.");
            var faults = await DatabaseChecks.RunAsync(source, config.AllowUnsafeLocale, ct);
            foreach (var fault in faults) await errors.WriteLineAsync((fault.IsWarning ? "Warning: " : "Fault: ") + fault);
            if (faults.Any(f => !f.IsWarning)) return MigratorExit.Checks;
            await output.WriteLineAsync($"The schema has version {Migrations.Latest}; the checks pass.");
            return MigratorExit.Done;
        }
        catch (DatabaseFaultException e)
        {
            await errors.WriteLineAsync("Fault: " + e.Fault);
            return MigratorExit.Checks;
        }
        catch (PostgresException e) when (IsRefusal(e))
        {
            await errors.WriteLineAsync(
                $"The database refuses {WhoAndWhere(config)}: {e.MessageText}. Check user and password in database.args, and pg_hba.conf.");
            return MigratorExit.Unreachable;
        }
        catch (Exception e) when (e is SocketException or TimeoutException || (e is NpgsqlException && e is not PostgresException))
        {
            var reason = (e.InnerException ?? e).Message;
            await errors.WriteLineAsync(
                $"The database cannot be reached as {WhoAndWhere(config)}: {reason}. Start PostgreSQL, or correct host and port in database.args.");
            return MigratorExit.Unreachable;
        }
    }

    /// <summary>Invalid authorization, not permitted, too many connections, starting up or shutting down.</summary>
    private static bool IsRefusal(PostgresException e) =>
        e.SqlState.StartsWith("28", StringComparison.Ordinal) || e.SqlState.StartsWith("57P", StringComparison.Ordinal)
        || e.SqlState is PostgresErrorCodes.TooManyConnections or PostgresErrorCodes.InsufficientPrivilege;

    /// <summary>Never the password.</summary>
    private static string WhoAndWhere(DatabaseConfig config)
    {
        var settings = new NpgsqlConnectionStringBuilder(config.ConnectionString);
        return $"{settings.Username ?? "the system's user"} at {settings.Host}:{settings.Port}, database {settings.Database ?? settings.Username}";
    }
}

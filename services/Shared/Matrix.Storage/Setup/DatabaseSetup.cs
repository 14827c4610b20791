using Npgsql;

namespace Matrix.Storage.Setup;

/// <summary>How this homeserver talks to PostgreSQL.</summary>
public static class DatabaseSetup
{
    /// <summary>
    /// A pool of <paramref name="min"/> to <paramref name="max"/> connections. What the connection string says itself wins over what is chosen here.
    /// Sessions are not reset between uses: nothing may leave state in one (no SET, LISTEN or session lock on a pooled connection).
    /// </summary>
    public static NpgsqlDataSource CreateDataSource(string connectionString, int min, int max, string applicationName = "armada") =>
        new NpgsqlDataSourceBuilder(Settings(connectionString, min, max, applicationName).ConnectionString).Build();

    internal static NpgsqlConnectionStringBuilder Settings(string connectionString, int min, int max, string applicationName)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { MinPoolSize = min, MaxPoolSize = Math.Max(max, 1) };
        Unless("Application Name", () => settings.ApplicationName = applicationName);
        Unless("Keepalive", () => settings.KeepAlive = 30);
        Unless("TCP Keepalive", () => settings.TcpKeepAlive = true);
        Unless("Timeout", () => settings.Timeout = 10);
        // SQL is constants, so the hot ones are prepared on second use and stay so on their connection.
        Unless("Max Auto Prepare", () => settings.MaxAutoPrepare = 200);
        Unless("Auto Prepare Min Usages", () => settings.AutoPrepareMinUsages = 2);
        Unless("No Reset On Close", () => settings.NoResetOnClose = true);
        Unless("Enlist", () => settings.Enlist = false);
        settings.Multiplexing = false;
        return settings;

        void Unless(string key, Action set)
        {
            if (!settings.ContainsKey(key) || !settings.Keys.Contains(key, StringComparer.OrdinalIgnoreCase)) set();
        }
    }

    /// <summary>
    /// Creates the database of the connection string when it is missing. True: created. When this user may not, or there is no maintenance
    /// database to ask, the original failure with the command to run comes as a <see cref="DatabaseFaultException"/>.
    /// </summary>
    public static async Task<bool> EnsureExistsAsync(string connectionString, CancellationToken ct)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false };
        try
        {
            await using var connection = new NpgsqlConnection(settings.ConnectionString);
            await connection.OpenAsync(ct);
            return false;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            var name = settings.Database ?? settings.Username ?? "armada";
            var sql = $"create database {Quote(name)} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0";
            try
            {
                settings.Database = "postgres";
                await using var maintenance = new NpgsqlConnection(settings.ConnectionString);
                await maintenance.OpenAsync(ct);
                await using var command = new NpgsqlCommand(sql, maintenance);
                await command.ExecuteNonQueryAsync(ct);
                return true;
            }
            catch (PostgresException other) when (other.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation)
            {
                return false;
            }
            catch (PostgresException refused)
            {
                throw new DatabaseFaultException(new DatabaseFault(
                    $"Database {name} does not exist and could not be created ({refused.MessageText}).", "As an administrator of PostgreSQL run:", sql + ";"));
            }
        }
    }

    /// <summary>An identifier in SQL: names of databases cannot be parameters.</summary>
    internal static string Quote(string identifier) => '"' + identifier.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';
}

using System.Data.Common;
using System.Globalization;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary><c>database</c> and <c>redis</c>; connection strings from the environment come before both.</summary>
internal sealed partial class HomeserverConfigReader
{
    /// <summary>Names of libpq, which Synapse hands to psycopg2, and what Npgsql calls them.</summary>
    private static readonly Dictionary<string, string> Libpq = new(StringComparer.Ordinal)
    {
        ["host"] = "Host",
        ["hostaddr"] = "Host",
        ["port"] = "Port",
        ["user"] = "Username",
        ["password"] = "Password",
        ["passfile"] = "Passfile",
        ["database"] = "Database",
        ["dbname"] = "Database",
        ["sslmode"] = "SSL Mode",
        ["sslcert"] = "SSL Certificate",
        ["sslkey"] = "SSL Key",
        ["sslpassword"] = "SSL Password",
        ["sslrootcert"] = "Root Certificate",
        ["connect_timeout"] = "Timeout",
        ["application_name"] = "Application Name",
        ["options"] = "Options",
        ["target_session_attrs"] = "Target Session Attributes",
        ["keepalives"] = "TCP Keepalive",
        ["keepalives_idle"] = "TCP Keepalive Time",
        ["keepalives_interval"] = "TCP Keepalive Interval",
    };

    /// <summary>Known there, without counterpart here: they are listed as ignored.</summary>
    private static readonly HashSet<string> LibpqWithoutEffect = new(StringComparer.Ordinal)
    {
        "keepalives_count", "tcp_user_timeout", "client_encoding", "gssencmode", "krbsrvname", "service", "channel_binding", "sslcrl", "sslcompression",
        "fallback_application_name", "cp_reconnect", "cp_noisy", "cp_good_sql", "cp_openfun", "cp_name", "cp_threadpool",
    };

    private DatabaseConfig ReadDatabase()
    {
        var section = root.Section("database");
        var prefix = "database";
        if (!section.Exists && root.Section("databases") is { Exists: true } several)
        {
            // Synapse: several databases hold parts of the tables; with one entry it is the same as `database`.
            var names = several.Keys.ToList();
            if (names.Count != 1)
            {
                root.Fault("databases", $"names {names.Count} databases, and this server keeps everything in one", "bring the tables into one database, then use  database:");
            }

            section = several.Section(names[0]);
            prefix = $"databases.{names[0]}";
            _ = section.TakeWhole("data_stores");
        }

        NamesDatabase = section.Exists || environment.ContainsKey("ConnectionStrings__database");
        var args = section.Section("args");
        if (section.Text("name") is { } driver && driver is not ("psycopg2" or "psycopg"))
        {
            section.Fault("name", driver == "sqlite3" ? "keeps data in a file that many processes cannot share" : "is no database that this server can use",
                "name: psycopg2   with a PostgreSQL under  args  (docs/running.md tells how to move)");
        }

        var defaults = new DatabaseConfig { ConnectionString = "" };
        var minimum = args.WholeNumber("cp_min", defaults.MinPoolSize, 0, 1000);
        var maximum = args.WholeNumber("cp_max", defaults.MaxPoolSize, 1, 1000);
        if (minimum > maximum)
        {
            args.Fault("cp_min", $"is more than {prefix}.args.cp_max ({maximum})", $"cp_min: {Math.Min(defaults.MinPoolSize, maximum)}");
        }

        return new()
        {
            ConnectionString = ReadConnectionString(args, minimum, maximum),
            MinPoolSize = minimum,
            MaxPoolSize = maximum,
            AllowUnsafeLocale = section.Boolean("allow_unsafe_locale", false),
        };
    }

    private string ReadConnectionString(ConfigSection args, int minimum, int maximum)
    {
        var connection = new DbConnectionStringBuilder();
        foreach (var key in args.Keys)
        {
            if (Libpq.TryGetValue(key, out var name))
            {
                if (ReadConnectionValue(args, key) is { } value)
                {
                    connection[name] = value;
                }
            }
            else if (LibpqWithoutEffect.Contains(key))
            {
                _ = args.TakeWhole(key);
            }
            else if (key is not ("cp_min" or "cp_max"))
            {
                _ = args.TakeWhole(key);
                var near = Libpq.Keys.Append("cp_min").Append("cp_max").MinBy(k => SynapseKeys.Distance(k, key))!;
                warnings.Add($"{args.KeyOf(key)} is no connection parameter and has no effect"
                    + (SynapseKeys.Distance(near, key) <= 3 ? $"; did you mean {near}?" : ""));
            }
        }

        if (environment.TryGetValue("ConnectionStrings__database", out var given))
        {
            try
            {
                connection = new() { ConnectionString = given };
            }
            catch (ArgumentException e)
            {
                root.Fault("database", null, $"cannot be read from the environment variable ConnectionStrings__database: {e.Message}",
                    "ConnectionStrings__database=\"Host=localhost;Username=armada;Password=...;Database=armada\"");
            }
        }
        else if (!connection.ContainsKey("Database"))
        {
            root.Fault(args.KeyOf("database"), null, "is missing: nothing says which PostgreSQL database to use",
                "database: { name: psycopg2, args: { host: localhost, user: armada, password: ..., database: armada } }");
        }

        if (!connection.ContainsKey("Host"))
        {
            connection["Host"] = "/var/run/postgresql";
        }

        connection["Minimum Pool Size"] = minimum;
        connection["Maximum Pool Size"] = maximum;
        return connection.ConnectionString;
    }

    private static string? ReadConnectionValue(ConfigSection args, string key)
    {
        switch (key)
        {
            case "port":
                return args.WholeNumber(key, 5432, 1, 65535).ToString(CultureInfo.InvariantCulture);
            case "connect_timeout":
                return args.WholeNumber(key, 15, 0, 1024).ToString(CultureInfo.InvariantCulture);
            case "keepalives":
                return args.WholeNumber(key, 1, 0, 1) == 1 ? "true" : "false";
            case "keepalives_idle" or "keepalives_interval":
                return args.WholeNumber(key, 10, 0, 86400).ToString(CultureInfo.InvariantCulture);
            case "sslmode":
                var mode = args.Text(key) switch
                {
                    "disable" => "Disable",
                    "allow" => "Allow",
                    "prefer" => "Prefer",
                    "require" => "Require",
                    "verify-ca" => "VerifyCA",
                    "verify-full" => "VerifyFull",
                    _ => null,
                };
                if (mode is null)
                {
                    args.Fault(key, "is not a mode of TLS", "sslmode: disable, allow, prefer, require, verify-ca or verify-full");
                }

                return mode;
            case "target_session_attrs":
                return args.Text(key);
            default:
                return args.Text(key);
        }
    }

    private RedisConfig ReadRedis(string serverName)
    {
        var section = root.Section("redis");
        var isEnabled = section.Boolean("enabled", false);
        var host = section.Text("host") ?? "localhost";
        var port = section.WholeNumber("port", 6379, 1, 65535);
        var password = ReadSecret(section, "password");
        var connection = $"{host}:{port}";
        if (password is not null)
        {
            if (password.Contains(',', StringComparison.Ordinal))
            {
                section.Fault("password", "contains a comma, which separates options in the client's connection string", "choose a password without commas");
            }

            connection += $",password={password}";
        }

        if (section.Text("dbid") is { } number)
        {
            connection += $",defaultDatabase={section.WholeNumber("dbid", 0, 0, 1_000_000).ToString(CultureInfo.InvariantCulture)}";
            _ = number;
        }

        if (section.Boolean("use_tls", false))
        {
            connection += ",ssl=true";
        }

        if (section.Text("path") is not null)
        {
            section.Fault("path", "is a Unix socket, which the Redis client of this server does not know", "host: localhost   and   port: 6379");
        }

        if (environment.TryGetValue("ConnectionStrings__redis", out var given) && given.Length > 0)
        {
            isEnabled = true;
            connection = given;
        }

        NamesRedis = isEnabled;
        return new() { Enabled = isEnabled, ConnectionString = connection, ChannelPrefix = serverName };
    }
}

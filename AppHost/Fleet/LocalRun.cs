using System.Globalization;
using System.Net.Sockets;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Configuration;

namespace Matrix.AppHost.Fleet;

/// <summary>What ./run was asked for; whatever is wrong with it is told before anything starts.</summary>
internal sealed record LocalRun
{
    /// <summary>The command or the configuration is wrong.</summary>
    private const int WrongWords = 2;
    /// <summary>A port is in use, or a server does not answer.</summary>
    private const int Obstacle = 3;

    public bool IsMonolith { get; private init; }
    public bool WithDashboard { get; private init; } = true;
    public required string DataFolder { get; init; }
    public required string ConfigFile { get; init; }
    public int? Port { get; private init; }
    public required HomeserverConfig Config { get; init; }
    /// <summary>The configuration or the environment names a PostgreSQL; otherwise this run brings its own.</summary>
    public bool HasDatabase { get; private init; }
    public bool HasRedis { get; private init; }
    /// <summary>Overrides that every process gets.</summary>
    public IReadOnlyDictionary<string, string> Overrides { get; private init; } = new Dictionary<string, string>();

    /// <summary>Keys that nobody knows and the like.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    public PublicEndpoint PublicEndpoint => Config.Listener.Endpoints[0];

    /// <summary>Throws <see cref="RunFault"/> when something is wrong; nothing was started then.</summary>
    public static LocalRun Read(string[] args, bool checkServers = true)
    {
        if (RunArguments.Parse(args, out var fault) is not { } arguments)
        {
            throw new RunFault(fault!, WrongWords);
        }

        var data = Path.GetFullPath(arguments.Data ?? Path.Combine(Repository.Root, "data"));
        var file = Path.GetFullPath(arguments.Config ?? Path.Combine(data, ConfigGenerator.FileName));
        if (arguments.Config is null && !File.Exists(file))
        {
            foreach (var line in ConfigGenerator.WriteLocal(data, "localhost", arguments.Port ?? 8008))
            {
                Console.WriteLine(line);
            }

            Console.WriteLine();
        }

        var overrides = new Dictionary<string, string>(StringComparer.Ordinal);
        if (arguments.Port is { } port)
        {
            overrides["ARMADA__listeners__0__port"] = port.ToString(CultureInfo.InvariantCulture);
        }

        var loaded = Load(file, overrides);
        var config = loaded.Config!;

        if (arguments.Port is not null && config.PublicBaseUrl is { } url && new Uri(url) is { IsLoopback: true } address)
        {
            overrides["ARMADA__public_baseurl"] = $"{address.Scheme}://{address.Host}:{overrides["ARMADA__listeners__0__port"]}/";
        }

        var run = new LocalRun
        {
            IsMonolith = arguments.IsMonolith,
            WithDashboard = arguments.WithDashboard,
            DataFolder = data,
            ConfigFile = file,
            Port = arguments.Port,
            Config = config,
            HasDatabase = loaded.NamesDatabase,
            HasRedis = loaded.NamesRedis,
            Overrides = overrides,
            Warnings = loaded.Warnings,
        };
        return checkServers && run.FindObstacle() is { } obstacle ? throw new RunFault(obstacle, Obstacle) : run;
    }

    /// <summary>Reads the file as the services will; the servers that this run brings itself count as named.</summary>
    private static LoadedConfig Load(string file, Dictionary<string, string> overrides)
    {
        var environment = new Dictionary<string, string>(ServiceEnvironment.Current, StringComparer.Ordinal);
        foreach (var (key, value) in overrides)
        {
            environment[key] = value;
        }

        var first = HomeserverConfigLoader.LoadFiles([file], environment);
        if (!first.NamesDatabase)
        {
            environment["ConnectionStrings__database"] = "Host=127.0.0.1;Database=armada";
        }

        var loaded = HomeserverConfigLoader.LoadFiles([file], environment);
        if (loaded.Config is null)
        {
            throw new RunFault(ConfigFault.Format(loaded.Faults), WrongWords);
        }

        return loaded with { NamesDatabase = first.NamesDatabase, NamesRedis = first.NamesRedis };
    }

    /// <summary>Ports in use and databases that do not answer, before fifteen processes complain about them.</summary>
    private string? FindObstacle()
    {
        foreach (var endpoint in Config.Listener.Endpoints.Where(e => e.Port != 0 && !Ports.IsFree(e.Port)))
        {
            var port = endpoint.Port.ToString(CultureInfo.InvariantCulture);
            return $"""
                Port {port} is in use by another program.
                  fix  stop it (ss -ltnp shows it; another run of this server perhaps), or take another port: ./run --port {(endpoint.Port + 1).ToString(CultureInfo.InvariantCulture)}
                """;
        }

        if (HasDatabase && ServerAddress.OfPostgres(Config.Database.ConnectionString) is { } database && !database.Answers(out var reason))
        {
            return $"""
                The database at {database} cannot be reached: {reason}
                  fix  start PostgreSQL there, or correct database.args in {ConfigFile} (or ConnectionStrings__database); without either, ./run starts a PostgreSQL of its own
                """;
        }

        if (!IsMonolith && HasRedis && ServerAddress.OfRedis(Config.Redis.ConnectionString) is { } redis && !redis.Answers(out reason))
        {
            return $"""
                Redis at {redis} cannot be reached: {reason}
                  fix  start Redis there, or correct redis.host and redis.port in {ConfigFile}; without them, ./run starts a Redis of its own
                """;
        }

        return null;
    }
}

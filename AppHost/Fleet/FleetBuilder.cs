using System.Globalization;

namespace Matrix.AppHost.Fleet;

internal static class FleetExtensions
{
    public static FleetBuilder AddFleet(this IDistributedApplicationBuilder builder, LocalRun run)
    {
        builder.Configuration["LocalHosting:DataFolder"] = run.DataFolder;
        builder.Configuration["LocalHosting:Title"] = run.IsMonolith ? "Armada (one process)" : "Armada";
        builder.Configuration["LocalHosting:Dashboard"] = run.WithDashboard ? "true" : "false";
        builder.Configuration["LocalHosting:Next"] = NextSteps.Text(run);
        DownloadedTools.Locate(builder.Configuration);
        return new(builder, run);
    }
}

/// <summary>
/// How a service of ours stands in a fleet: an instance of its own name and ports for each replica (a request must reach the instance that its
/// affinity names, so nothing may balance in front of them), after the migrator, with the same configuration for all.
/// </summary>
internal sealed class FleetBuilder(IDistributedApplicationBuilder builder, LocalRun run)
{
    private readonly Ports _ports = new(run.DataFolder);
    private readonly List<IResourceBuilder<ProjectResource>> _services = [];
    private IResourceBuilder<ExecutableResource>? _postgres;
    private IResourceBuilder<ExecutableResource>? _redis;
    private IResourceBuilder<ConnectionStringResource>? _database;
    private IResourceBuilder<ConnectionStringResource>? _bus;
    private IResourceBuilder<ProjectResource>? _migrator;

    public void AddPostgres()
    {
        if (run.HasDatabase)
        {
            return;
        }

        var server = LocalPostgres.Prepare(run.DataFolder, _ports.Take());
        builder.Services.AddHealthChecks().AddAsyncCheck("postgres-answers", server.CheckAsync);
        _postgres = builder.AddExecutable("postgres", server.Command, run.DataFolder, server.Arguments)
            .WithEndpoint("tcp", e => Fixed(e, server.Port))
            .WithHealthCheck("postgres-answers");
        _database = builder.AddConnectionString("database", ReferenceExpression.Create(
            $"Host=127.0.0.1;Port={_postgres.GetEndpoint("tcp").Property(EndpointProperty.Port)};Username={LocalPostgres.Name};Password={server.Password};Database={LocalPostgres.Name}"));
    }

    public void AddRedis()
    {
        if (run.HasRedis)
        {
            return;
        }

        var server = LocalRedis.Prepare(run.DataFolder, _ports.Take());
        builder.Services.AddHealthChecks().AddAsyncCheck("redis-answers", server.CheckAsync);
        _redis = builder.AddExecutable("redis", server.Command, run.DataFolder, server.Arguments)
            .WithEndpoint("tcp", e => Fixed(e, server.Port))
            .WithHealthCheck("redis-answers");
        _bus = builder.AddConnectionString("redis-connection", ReferenceExpression.Create(
            $"127.0.0.1:{_redis.GetEndpoint("tcp").Property(EndpointProperty.Port)},password={server.Password}"));
    }

    public void AddMigrator<TProject>()
        where TProject : IProjectMetadata, new()
    {
        _migrator = Configured(builder.AddProject<TProject>("migrator"), "migrator");
        if (_postgres is not null)
        {
            _migrator.WaitFor(_postgres);
        }
    }

    public void Add<TProject>(string service, int replicas = 1)
        where TProject : IProjectMetadata, new()
    {
        for (var i = 1; i <= replicas; i++)
        {
            var name = replicas == 1 ? service : string.Create(CultureInfo.InvariantCulture, $"{service}-{i}");
            var http = _ports.Take();
            _services.Add(Service<TProject>(name, e => Fixed(e, http, "http"))
                .WithEnvironment("ARMADA_HTTP_PORT", http.ToString(CultureInfo.InvariantCulture)));
        }
    }

    /// <summary>What clients and other servers talk to; listens where the configuration says, and starts when the others are ready.</summary>
    public void AddPublic<TProject>(string service)
        where TProject : IProjectMetadata, new()
    {
        var front = Service<TProject>(service, e =>
        {
            Fixed(e, run.PublicEndpoint.Port, run.PublicEndpoint.Tls ? "https" : "http");
            e.IsExternal = true;
        });
        foreach (var other in _services)
        {
            front.WaitFor(other);
        }
    }

    private IResourceBuilder<ProjectResource> Service<TProject>(string name, Action<EndpointAnnotation> http)
        where TProject : IProjectMetadata, new()
    {
        var inside = _ports.Take();
        var service = Configured(builder.AddProject<TProject>(name), name)
            .WithEndpoint("http", http)
            .WithEndpoint("internal", e => Fixed(e, inside, "http"))
            .WithEnvironment("ARMADA_INTERNAL_PORT", inside.ToString(CultureInfo.InvariantCulture))
            .WithHttpHealthCheck("/_internal/health/ready", endpointName: "internal");
        if (_migrator is not null)
        {
            service.WaitForCompletion(_migrator);
        }

        if (_redis is not null)
        {
            service.WaitFor(_redis);
        }

        return service;
    }

    private IResourceBuilder<ProjectResource> Configured(IResourceBuilder<ProjectResource> project, string name)
    {
        project.WithEnvironment("ARMADA_CONFIG", run.ConfigFile).WithEnvironment("ARMADA_INSTANCE", name);
        foreach (var (key, value) in run.Overrides)
        {
            project.WithEnvironment(key, value);
        }

        if (_database is not null)
        {
            project.WithReference(_database);
        }

        if (_bus is not null)
        {
            project.WithEnvironment("ConnectionStrings__redis", _bus.Resource.ConnectionStringExpression);
        }

        return project;
    }

    private static void Fixed(EndpointAnnotation endpoint, int port, string scheme = "tcp")
    {
        endpoint.Port = port;
        endpoint.TargetPort = port;
        endpoint.IsProxied = false;
        endpoint.UriScheme = scheme;
    }
}

using Matrix.ServiceDefaults.Configuration;
using Matrix.ServiceDefaults.Health;
using Matrix.ServiceDefaults.Hosting;
using Matrix.ServiceDefaults.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Matrix.ServiceDefaults;

public static partial class ServiceDefaultsExtensions
{
    /// <summary>Exit code of a process that cannot use its configuration.</summary>
    public const int ConfigurationFault = 2;
    /// <summary>Exit code of a process that cannot listen where it should.</summary>
    public const int ListenFault = 3;

    /// <summary>
    /// Reads the configuration (ARMADA_CONFIG; exits with code 2 and every fault at once when it is wrong), registers
    /// <see cref="HomeserverConfig"/>, <see cref="InstanceIdentity"/>, <see cref="InstanceAddresses"/> and TimeProvider, listens, sets up logs,
    /// traces, metrics, health and shutdown.
    /// </summary>
    public static WebApplicationBuilder CreateService(string service, string[] args)
    {
        var environment = ServiceEnvironment.Current;
        var loaded = HomeserverConfigLoader.Load(environment);
        if (loaded.Config is not { } config)
        {
            throw Leave(ConfigurationFault, ConfigFault.Format(loaded.Faults));
        }

        var name = environment.GetValueOrDefault("ARMADA_INSTANCE") is { Length: > 0 } given ? given : $"{service}-1";
        var group = environment.GetValueOrDefault("ARMADA_GROUP") is { Length: > 0 } named ? named : service;
        var identity = new InstanceIdentity(service, name, group);
        Listeners listeners;
        try
        {
            listeners = Listeners.Plan(service, config, environment);
        }
        catch (InvalidDataException e)
        {
            throw Leave(ConfigurationFault, e.Message);
        }

        PoolThreads.Begin();
        // The empty builder: nothing watches files, nothing is found by reflection, start takes half the time.
        var builder = WebApplication.CreateEmptyBuilder(new() { Args = args, ContentRootPath = AppContext.BaseDirectory });
        builder.Configuration.AddEnvironmentVariables();
        AddLogging(builder);
        listeners.Apply(builder, config);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(config);
        builder.Services.AddSingleton(identity);
        builder.Services.AddSingleton(listeners);
        builder.Services.AddSingleton<InstanceAddresses>();
        builder.Services.AddSingleton<MetricsText>();
        builder.Services.AddSingleton<IStartupFilter, InternalPathGuard>();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(10));
        builder.Services.AddHostedService(p => new StartReport(
            loaded, listeners, p.GetRequiredService<IServer>(), p.GetRequiredService<ILoggerFactory>().CreateLogger("Armada")));
        if (environment.GetValueOrDefault("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 })
        {
            OpenTelemetrySetup.Add(builder, identity, config, environment);
        }

        return builder;
    }

    /// <summary>Maps /_internal/health/live, /_internal/health/ready and /_internal/metrics on the internal port only.</summary>
    public static WebApplication MapServiceDefaults(this WebApplication app)
    {
        var metrics = app.Services.GetRequiredService<MetricsText>();
        app.MapHealth();
        app.MapMethods("/_internal/metrics", [HttpMethods.Get], context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
            return context.Response.WriteAsync(metrics.Write(), context.RequestAborted);
        });
        var listeners = app.Services.GetRequiredService<Listeners>();
        var addresses = app.Services.GetRequiredService<InstanceAddresses>();
        var identity = app.Services.GetRequiredService<InstanceIdentity>();
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Armada");
        app.Lifetime.ApplicationStarted.Register(() =>
        {
            listeners.Publish(addresses);
            LogStarted(log, identity.Name, addresses.Traffic, addresses.Internal);
        });
        return app;
    }

    private static void AddLogging(WebApplicationBuilder builder)
    {
        builder.Logging.SetMinimumLevel(LogLevel.Information);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("System", LogLevel.Warning);
        // Asked every second by an orchestrator; the answer says it all.
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        builder.Logging.AddFilter("Npgsql", LogLevel.Warning);
        builder.Logging.AddFilter("Yarp", LogLevel.Warning);
        // Logging__LogLevel__Matrix.Sync=Debug
        builder.Logging.AddConfiguration(builder.Configuration.GetSection("Logging"));
        builder.Logging.KeepQueriesOut();
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
    }

    /// <summary>For faults of whoever starts the process: the message alone, no stack trace.</summary>
    internal static InvalidOperationException Leave(int code, string message)
    {
        Console.Error.WriteLine(message);
        Environment.Exit(code);
        return new(message);
    }

    [LoggerMessage(1, LogLevel.Information, "{Instance} listens on {Traffic}, internal {Internal}")]
    private static partial void LogStarted(ILogger log, string instance, string traffic, string @internal);
}

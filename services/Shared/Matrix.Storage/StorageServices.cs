using Matrix.Replication;
using Matrix.Storage.Instances;
using Matrix.Storage.Setup;
using Matrix.Storage.Streams;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Storage;

/// <summary><c>database.args</c> of the configuration.</summary>
public sealed record StorageOptions
{
    public required string ConnectionString { get; init; }
    /// <summary>cp_min.</summary>
    public int MinPoolSize { get; init; } = 1;
    /// <summary>cp_max.</summary>
    public int MaxPoolSize { get; init; } = 10;
    /// <summary>As pg_stat_activity shows it; the instance's name.</summary>
    public string ApplicationName { get; init; } = "armada";
}

public static class StorageServices
{
    /// <summary>
    /// Registers the database, the stores of streams, cursors, leases and instances, and the instance directory. Starting waits for the schema.
    /// Call before <c>AddMatrixReplication</c>.
    /// </summary>
    /// <param name="ownInstances">Which instances this process is, asked once it listens; null: it only watches.</param>
    public static IServiceCollection AddMatrixStorage(
        this IServiceCollection services, StorageOptions options, Func<IServiceProvider, IReadOnlyList<ServiceInstance>>? ownInstances = null)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton(_ => DatabaseSetup.CreateDataSource(
            options.ConnectionString, options.MinPoolSize, options.MaxPoolSize, options.ApplicationName));
        services.AddSingleton<Database>();
        services.AddSingleton<IStreamSource, StreamStore>();
        services.AddSingleton<CursorStore>();
        services.AddSingleton<LeaseStore>();
        services.AddSingleton(s => new OwnInstances(() => ownInstances?.Invoke(s) ?? []));
        services.AddSingleton<InstanceDirectory>();
        services.AddSingleton<IInstanceDirectory>(s => s.GetRequiredService<InstanceDirectory>());
        services.AddHostedService<SchemaGate>();
        services.AddHostedService(s => s.GetRequiredService<InstanceDirectory>());
        return services;
    }
}

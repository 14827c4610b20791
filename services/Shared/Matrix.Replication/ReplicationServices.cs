using System.Security.Cryptography;
using Matrix.Replication.Buses;
using Matrix.Replication.Following;
using Matrix.Replication.Rpc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Replication;

/// <summary>How this process takes part in replication.</summary>
public sealed record ReplicationOptions
{
    /// <summary>Name of this instance, unique in the fleet.</summary>
    public required string InstanceName { get; init; }
    /// <summary>Null: everything is in this process, no Redis.</summary>
    public RedisBusOptions? Redis { get; init; }
    /// <summary>Secret of <c>/_internal</c>. May be empty without Redis: the process then makes one for itself.</summary>
    public string Secret { get; init; } = "";
    /// <summary>False, for tests: internal calls go to all instances in turn.</summary>
    public bool RpcAffinity { get; init; } = true;
    public FollowerOptions Follower { get; init; } = new();
}

public static class ReplicationServices
{
    /// <summary>
    /// Registers bus, follower, publisher, internal RPC, and the health check "replication" (tag "ready"). Needs IStreamSource and
    /// IInstanceDirectory (<c>AddMatrixStorage</c>, called before this: it waits for the schema first). Consumers are registered as
    /// <see cref="IStreamConsumer"/>.
    /// </summary>
    public static IServiceCollection AddMatrixReplication(this IServiceCollection services, ReplicationOptions options)
    {
        var secret = options.Secret;
        if (secret.Length == 0)
        {
            if (options.Redis is not null) throw new ArgumentException("A fleet needs worker_replication_secret.", nameof(options));
            secret = Convert.ToHexString(RandomNumberGenerator.GetBytes(32));
        }
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options.Follower);
        services.AddSingleton(new PublisherOptions(options.InstanceName));
        services.AddSingleton(new InternalRpcOptions(secret) { Affinity = options.RpcAffinity });
        if (options.Redis is { } redis)
        {
            services.AddSingleton(redis);
            services.AddSingleton<RedisBus>();
            services.AddSingleton<IReplicationBus>(s => s.GetRequiredService<RedisBus>());
            services.AddSingleton<IRateBuckets>(s => s.GetRequiredService<RedisBus>());
        }
        else
        {
            services.AddSingleton<IReplicationBus, InProcessBus>();
        }
        services.AddSingleton<Func<IEnumerable<IStreamConsumer>>>(s => s.GetServices<IStreamConsumer>);
        services.AddSingleton<StreamFollower>();
        services.AddSingleton<IStreamFollower>(s => s.GetRequiredService<StreamFollower>());
        services.AddHostedService(s => s.GetRequiredService<StreamFollower>());
        services.AddSingleton<IStreamPublisher, StreamPublisher>();
        services.AddSingleton<IInternalRpc, InternalRpc>();
        services.AddHealthChecks().AddCheck<ReplicationHealthCheck>("replication", tags: ["ready"]);
        return services;
    }
}

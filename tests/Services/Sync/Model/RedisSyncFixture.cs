using Matrix.Replication;
using Matrix.Replication.Buses;
using Matrix.Testing.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>The same hosts with a Redis of their own between them, which may be killed.</summary>
public sealed class RedisSyncFixture : SyncFixture
{
    public OwnRedis Redis { get; } = new();

    public override async ValueTask InitializeAsync()
    {
        await Redis.StartAsync();
        await base.InitializeAsync();
    }

    protected override void UseBus(IServiceCollection services)
    {
        services.AddSingleton(new RedisBusOptions(Redis.ConnectionString, "model"));
        services.AddSingleton<RedisBus>();
        services.Replace(ServiceDescriptor.Singleton<IReplicationBus>(s => s.GetRequiredService<RedisBus>()));
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await Redis.DisposeAsync();
    }
}

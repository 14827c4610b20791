using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage;

namespace Matrix.Gateway;

/// <summary>The table of instances, where the gateway finds the others and registers itself. It asks the database for nothing else.</summary>
internal static class InstanceRegistry
{
    public static WebApplicationBuilder AddInstanceRegistry(this WebApplicationBuilder builder, HomeserverConfig config)
    {
        var identity = builder.Registered<InstanceIdentity>();
        builder.Services.AddMatrixStorage(
            new StorageOptions { ConnectionString = config.Database.ConnectionString, MinPoolSize = 0, MaxPoolSize = 2, ApplicationName = identity.Name },
            provider => [Self(provider, identity)]);
        return builder;
    }

    /// <summary>What the service defaults have registered as an instance.</summary>
    public static T Registered<T>(this WebApplicationBuilder builder) => (T)builder.Services.Last(d => d.ServiceType == typeof(T)).ImplementationInstance!;

    private static ServiceInstance Self(IServiceProvider provider, InstanceIdentity identity)
    {
        var addresses = provider.GetRequiredService<InstanceAddresses>();
        var started = provider.GetRequiredService<TimeProvider>().GetUtcNow().ToUnixTimeMilliseconds();
        return new(identity.Name, identity.Service, identity.Group, addresses.Traffic, addresses.Internal, started);
    }
}

using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage;
using Matrix.Storage.Accounts;
using Matrix.Web.AppServices;
using Matrix.Web.Auth;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Web;

/// <summary>What every service of the fleet starts from.</summary>
public static class MatrixService
{
    /// <summary>Configuration, telemetry, database, replication, identity, authentication: all that is the same everywhere.</summary>
    /// <param name="duties">Names of the services that this process does; itself when empty. The monolith does all.</param>
    public static WebApplicationBuilder Create(string service, string[] args, params string[] duties)
    {
        var builder = ServiceDefaultsExtensions.CreateService(service, args);
        builder.AddAppServiceRegistrations();
        builder.Services.AddMatrixFoundation(Registered<HomeserverConfig>(builder), Registered<InstanceIdentity>(builder), duties);
        return builder;
    }

    /// <summary>What the service defaults have put there as an instance: it decides what is registered next.</summary>
    private static T Registered<T>(WebApplicationBuilder builder) =>
        (T)builder.Services.Last(d => d.ServiceType == typeof(T)).ImplementationInstance!;

    /// <summary>Maps health and metrics and runs; returns the exit code.</summary>
    public static async Task<int> RunMatrixAsync(this WebApplication app)
    {
        app.MapServiceDefaults();
        await app.RunAsync();
        return 0;
    }

    private static void AddMatrixFoundation(
        this IServiceCollection services, HomeserverConfig config, InstanceIdentity identity, string[] duties)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddMatrixStorage(
            new StorageOptions
            {
                ConnectionString = config.Database.ConnectionString,
                MinPoolSize = config.Database.MinPoolSize,
                MaxPoolSize = config.Database.MaxPoolSize,
                ApplicationName = identity.Name,
            },
            provider => Instances(provider, identity, duties));
        services.AddMatrixReplication(new ReplicationOptions
        {
            InstanceName = identity.Name,
            Redis = config.Redis.Enabled && duties.Length == 0 ? new(config.Redis.ConnectionString, config.Redis.ChannelPrefix) : null,
            Secret = config.WorkerReplicationSecret,
            RpcAffinity = config.RoomAffinity,
        });
        services.AddSingleton(p => new ServerIdentity(
            p.GetRequiredService<HomeserverConfig>().ServerName,
            SigningKeyFile.Read(p.GetRequiredService<HomeserverConfig>().SigningKeyPath),
            Ed25519.Default));
        services.TryAddSingleton<RateLimiter>();
        services.AddSingleton<AccessTokenStore>();
        services.AddSingleton<TokenAuthenticator>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<TokenAuthenticator>());
        services.AddSingleton<AppServiceUserStore>();
        services.AddSingleton<AppServiceMasquerade>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<AppServiceMasquerade>());
        services.AddSingleton<IRequestAuthenticator, UserTokenAuthenticator>();
        services.AddSingleton<DeviceSeenStore>();
        services.AddSingleton<SeenDevices>();
        services.AddHostedService(p => p.GetRequiredService<SeenDevices>());
    }

    private static IReadOnlyList<ServiceInstance> Instances(IServiceProvider provider, InstanceIdentity identity, string[] duties)
    {
        var addresses = provider.GetRequiredService<InstanceAddresses>();
        var started = provider.GetRequiredService<TimeProvider>().GetUtcNow().ToUnixTimeMilliseconds();
        ServiceInstance As(string name, string service, string group) => new(name, service, group, addresses.Traffic, addresses.Internal, started);
        return duties.Length == 0
            ? [As(identity.Name, identity.Service, identity.Group)]
            : [.. duties.Select(duty => As($"{identity.Name}/{duty}", duty, duty))];
    }
}

using Matrix.FederationClient.DeviceKeys;
using Matrix.FederationClient.Keys;
using Matrix.FederationClient.Outbound;
using Matrix.FederationClient.Pdus;
using Matrix.FederationClient.Policy;
using Matrix.FederationClient.Profiles;
using Matrix.FederationClient.Rooms;
using Matrix.Storage.Federation;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.FederationClient;

public static class FederationClientExtensions
{
    /// <summary>Once a process, whichever of its services asks first.</summary>
    public static IServiceCollection AddFederationClient(this IServiceCollection services, Func<IServiceProvider, FederationClientOptions> options)
    {
        services.TryAddSingleton(p => options(p));
        services.TryAddSingleton<FederationHttp>();
        services.TryAddSingleton<ServerKeyStore>();
        services.TryAddSingleton<KeyRing>();
        services.TryAddSingleton<IKeyRing>(p => p.GetRequiredService<KeyRing>());
        services.TryAddSingleton<PduChecker>();
        services.TryAddSingleton<IRemoteRooms, RemoteRooms>();
        services.TryAddSingleton<RemoteProfiles>();
        services.TryAddSingleton<IRemoteKeys, FederatedKeys>();
        services.TryAddSingleton<IPolicyServers, PolicyServers>();
        return services;
    }
}

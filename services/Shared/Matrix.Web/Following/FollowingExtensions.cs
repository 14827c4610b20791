using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage;
using Matrix.Storage.Following;
using Matrix.Storage.Instances;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Matrix.Web.Following;

public static class FollowingExtensions
{
    /// <summary>Follows streams with saved positions for as long as the process runs.</summary>
    public static IServiceCollection AddFollowingDuty<T>(this IServiceCollection services) where T : class, IFollowingDuty
    {
        services.AddFollowing();
        services.TryAddSingleton<T>();
        return services.AddFollower(typeof(T), p => p.GetRequiredService<T>());
    }

    /// <summary>As <see cref="AddFollowingDuty{T}"/>, for duties of which there are several: one for each application service.</summary>
    public static IServiceCollection AddFollower(this IServiceCollection services, object key, Func<IServiceProvider, IFollowingDuty> duty)
    {
        services.AddKeyedSingleton(key, (p, _) =>
            new DutyFollower(duty(p), p.GetRequiredService<FollowingContext>(), p.GetRequiredService<ILogger<DutyFollower>>()));
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredKeyedService<DutyFollower>(key));
        services.AddSingleton<IHostedService>(p => p.GetRequiredKeyedService<DutyFollower>(key));
        return services;
    }

    public static IServiceCollection AddFollowing(this IServiceCollection services)
    {
        services.TryAddSingleton<LeaseStore>();
        services.TryAddSingleton<SavedPositions>();
        services.TryAddSingleton(p => new FollowingContext(
            p.GetRequiredService<InstanceIdentity>().Name, p.GetRequiredService<Database>(), p.GetRequiredService<IStreamSource>(),
            p.GetRequiredService<IStreamFollower>(), p.GetRequiredService<LeaseStore>(), p.GetRequiredService<SavedPositions>(),
            p.GetRequiredService<TimeProvider>()));
        return services;
    }
}

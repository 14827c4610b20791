using Matrix.AppServices.Following;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Web.AppServices;
using Matrix.Web.Following;

namespace Matrix.AppServices;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class AppServicesService
{
    public const string Name = "appservices";

    public static IHostApplicationBuilder AddAppServices(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddFollowing();
        services.AddSingleton<AppServiceMetrics>();
        foreach (var registration in builder.AddAppServiceRegistrations().All)
        {
            services.AddFollower("appservice:" + registration.Id, p => ActivatorUtilities.CreateInstance<AppServiceDuty>(
                p, registration, new Shard(Name, p.GetRequiredService<InstanceIdentity>(), p.GetRequiredService<IInstanceDirectory>())));
        }
        return builder;
    }

    /// <summary>No routes yet: ping and third-party lookups will be here.</summary>
    public static IEndpointRouteBuilder MapAppServices(this IEndpointRouteBuilder endpoints) => endpoints;
}

using Matrix.Background.Duties;
using Matrix.Background.Search;
using Matrix.Storage.Accounts;
using Matrix.Storage.Instances;
using Matrix.Storage.Search;
using Matrix.Storage.Upkeep;
using Matrix.Web.Following;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Background;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class BackgroundService
{
    public const string Name = "background";

    public static IHostApplicationBuilder AddBackground(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddFollowing();
        services.TryAddSingleton<SearchStore>();
        services.AddFollowingDuty<SearchIndexDuty>();
        services.AddSingleton<UpkeepStore>();
        services.TryAddSingleton<RegistrationTokenStore>();
        services.AddSingleton<DutyMetrics>();
        services.AddSingleton<IBackgroundDuty, PruneStreamsDuty>();
        services.AddSingleton<DutyRunner>(p => new DutyRunner(
            [.. p.GetServices<IBackgroundDuty>(), .. ExpiryDuty.All(p.GetRequiredService<UpkeepStore>(), p.GetRequiredService<RegistrationTokenStore>(), p.GetRequiredService<TimeProvider>())],
            p.GetRequiredService<LeaseStore>(), p.GetRequiredService<ServiceDefaults.InstanceIdentity>(), p.GetRequiredService<DutyMetrics>(),
            p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<DutyRunner>>()));
        services.AddHostedService(p => p.GetRequiredService<DutyRunner>());
        return builder;
    }

    public static IEndpointRouteBuilder MapBackground(this IEndpointRouteBuilder endpoints)
    {
        // No routes yet: what long jobs of the admin API will ask for.
        return endpoints;
    }
}

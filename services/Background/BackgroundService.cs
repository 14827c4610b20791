using Matrix.Background.Delayed;
using Matrix.Background.Duties;
using Matrix.Background.Redactions;
using Matrix.Background.Search;
using Matrix.Replication;
using Matrix.Rooms.Delayed;
using Matrix.Rooms.Writing;
using Matrix.Storage.Accounts;
using Matrix.Storage.DelayedEvents;
using Matrix.Storage.Instances;
using Matrix.Storage.Redactions;
using Matrix.Storage.Rooms;
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
        services.AddRemoteRoomWriter();
        services.TryAddSingleton<DelayedEventStore>();
        services.TryAddSingleton<DelayedEventDelivery>();
        services.AddSingleton<DelayedEventSender>();
        services.AddHostedService(p => p.GetRequiredService<DelayedEventSender>());
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<DelayedEventSender>());
        services.TryAddSingleton<RedactionJobStore>();
        services.AddSingleton<IBackgroundDuty, RedactionJobDuty>();
        services.AddSingleton<IBackgroundDuty>(p => new ExpiryDuty(
            "expire_redaction_jobs", TimeSpan.FromHours(1), TimeSpan.FromDays(7), p.GetRequiredService<RedactionJobStore>().ForgetAsync, p.GetRequiredService<TimeProvider>()));
        // MSC4140: what was finalised is told of for a week.
        services.AddSingleton<IBackgroundDuty>(p => new ExpiryDuty(
            "expire_delayed_events", TimeSpan.FromHours(1), TimeSpan.FromDays(7), p.GetRequiredService<DelayedEventStore>().ForgetAsync, p.GetRequiredService<TimeProvider>()));
        services.AddSingleton<UpkeepStore>();
        services.TryAddSingleton<RegistrationTokenStore>();
        services.AddSingleton<DutyMetrics>();
        services.AddSingleton<IBackgroundDuty, PruneStreamsDuty>();
        services.AddSingleton<ForkStore>();
        services.AddSingleton(p => new HomeserverName(p.GetRequiredService<ServiceDefaults.HomeserverConfig>().ServerName));
        services.AddSingleton<IBackgroundDuty, JoinForksDuty>();
        services.TryAddSingleton<DeactivationStore>();
        services.TryAddSingleton<RoomReader>();
        services.TryAddSingleton<RoomDepartures>();
        services.AddSingleton<IBackgroundDuty, DeactivationDuty>();
        services.TryAddSingleton<DeviceStore>();
        services.TryAddSingleton<StaleDeviceStore>();
        services.AddSingleton<IBackgroundDuty, StaleDevicesDuty>();
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

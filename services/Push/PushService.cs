using Matrix.Push.Delivery;
using Matrix.Push.Evaluation;
using Matrix.Replication;
using Matrix.Rooms;
using Matrix.ServiceDefaults;
using Matrix.Storage.Events;
using Matrix.Storage.Push;
using Matrix.Storage.Pushers;
using Matrix.Storage.Relations;
using Matrix.Storage.Rooms;
using Matrix.Web.Following;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Push;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class PushService
{
    public const string Name = "push";

    public static IHostApplicationBuilder AddPush(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton<RoomReader>();
        services.TryAddSingleton<EventReader>();
        services.TryAddSingleton<ThreadReader>();
        services.TryAddSingleton<PusherSettingsStore>();
        services.AddSingleton<PusherStore>();
        services.AddSingleton<PushMetrics>();
        services.AddSingleton<PushGatewayClient>();
        services.AddSingleton<DeliveryLimit>();
        services.AddSingleton(p => new DeliveryContext(
            p.GetRequiredService<PushGatewayClient>(), p.GetRequiredService<DeliveryLimit>(), p.GetRequiredService<PushMetrics>(),
            p.GetRequiredService<TimeProvider>(), Random.Shared, p.GetRequiredService<ILoggerFactory>().CreateLogger("Matrix.Push.Delivery")));
        services.AddSingleton<EventFeed>();
        services.AddSingleton<PushInbox>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<PushInbox>());
        services.AddSingleton(AudiencesOf);
        services.AddSingleton<UserSettingsCache>();
        services.AddSingleton<SenderNames>();
        services.AddSingleton<ThreadRoots>();
        services.AddSingleton<UnreadFinder>();
        services.AddSingleton<UnreadRooms>();
        services.AddSingleton<EventEvaluator>();
        services.AddSingleton<PusherBoard>();
        services.AddSingleton<PushSources>();
        services.AddSingleton(p => ActivatorUtilities.CreateInstance<PushEngine>(p, new Shard(
            Name, p.GetRequiredService<InstanceIdentity>(), p.GetRequiredService<IInstanceDirectory>())));
        services.AddHostedService(p => p.GetRequiredService<PushEngine>());
        return builder;
    }

    private static RoomAudiences AudiencesOf(IServiceProvider p)
    {
        var config = p.GetRequiredService<HomeserverConfig>().Retention;
        var retention = MessageRetention.Of(config.Enabled, config.DefaultMaxLifetime, config.AllowedLifetimeMin, config.AllowedLifetimeMax);
        return new RoomAudiences(p.GetRequiredService<PusherStore>(), p.GetRequiredService<RoomReader>(), retention);
    }

    /// <summary>No routes: pushers are set through ClientApi.</summary>
    public static IEndpointRouteBuilder MapPush(this IEndpointRouteBuilder endpoints) => endpoints;
}

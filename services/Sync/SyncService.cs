using Matrix.Replication;
using Matrix.Storage.Events;
using Matrix.Storage.Keys;
using Matrix.Storage.Rooms;
using Matrix.Storage.Sync;
using Matrix.Rooms;
using Matrix.Rooms.Aggregations;
using Matrix.Storage.Relations;
using Matrix.Sync.Answers;
using Matrix.Sync.Encryption;
using Matrix.Sync.Endpoints;
using Matrix.Sync.Engine;
using Matrix.Sync.Filters;
using Matrix.Sync.Legacy;
using Matrix.Sync.Presence;
using Matrix.Sync.Rooms;
using Matrix.Sync.Sliding;
using Matrix.Sync.Store;
using Matrix.Sync.Users;
using Matrix.Web.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Sync;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class SyncService
{
    public const string Name = "sync";

    public static IHostApplicationBuilder AddSync(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton<EventReader>();
        services.TryAddSingleton<RoomReader>();
        services.TryAddSingleton<StateReader>();
        services.TryAddSingleton(p => new EventVisibility(
            p.GetRequiredService<StateReader>(), p.GetRequiredService<RoomReader>(), p.GetRequiredService<EventReader>(),
            p.GetRequiredService<MessageLifetimes>().Retention, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ErasedUsers>()));
        services.AddErasedUsers();
        services.TryAddSingleton<RelationReader>();
        services.TryAddSingleton<Aggregator>();
        services.TryAddSingleton<SyncReader>();
        services.TryAddSingleton<DeviceKeyStore>();
        services.AddSingleton<SlidingStore>();
        services.AddSingleton<ISyncStore, DatabaseSyncStore>();
        services.AddSyncEngine();
        services.AddSingleton<PresenceKeeper>();
        services.AddHostedService(p => p.GetRequiredService<PresenceKeeper>());
        services.AddSingleton<CacheKeeper>();
        services.AddHostedService(p => p.GetRequiredService<CacheKeeper>());
        return builder;
    }

    /// <summary>Is not ready before it has answered once.</summary>
    public static IHostApplicationBuilder AddSyncWarmUp(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<WarmUp>();
        builder.Services.AddHostedService(p => p.GetRequiredService<WarmUp>());
        builder.Services.AddHealthChecks().AddCheck<WarmUp>("warm-up", tags: ["ready"]);
        return builder;
    }

    /// <summary>The engine over some <see cref="ISyncStore"/>.</summary>
    internal static void AddSyncEngine(this IServiceCollection services)
    {
        services.AddSingleton<SyncState>();
        services.AddSingleton<CatchUp>();
        services.AddSingleton<UserTable>();
        services.AddSingleton<RoomCacheLoader>();
        services.AddSingleton<TypingClock>();
        services.AddSingleton<ContactNews>();
        services.AddHostedService(p => p.GetRequiredService<ContactNews>());
        services.AddSingleton<StreamApplier>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<StreamApplier>());
        services.AddSingleton<AnswerPlanner>();
        services.AddSingleton<MessageLifetimes>();
        services.AddSingleton<RoomStage>();
        services.AddSingleton<StrippedStage>();
        services.AddSingleton<LeftStage>();
        services.AddSingleton<FillStage>();
        services.AddSingleton<AnswerBuilder>();
        services.AddSingleton<EncryptionNews>();
        services.AddSingleton<Shutdown>();
        services.AddSingleton<FilterBook>();
        services.AddSingleton<SyncHandler>();
        services.AddSingleton<PeekHandler>();
        services.AddSingleton<Connections>();
        services.AddSingleton<RoomSelector>();
        services.AddSingleton<SlidingPlanner>();
        services.AddSingleton<SlidingBuilder>();
        services.AddSingleton<SlidingHandler>();
    }

    public static IEndpointRouteBuilder MapSync(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        routes.MapSyncV3();
        routes.MapLegacySync();
        routes.MapSlidingSync();
        return endpoints;
    }
}

using Matrix.Crypto;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Commit;
using Matrix.EventPersister.Delayed;
using Matrix.EventPersister.Ingest;
using Matrix.EventPersister.Membership;
using Matrix.EventPersister.Policy;
using Matrix.EventPersister.Profiles;
using Matrix.EventPersister.Rooms;
using Matrix.EventPersister.Rpc;
using Matrix.EventPersister.Sending;
using Matrix.EventPersister.State;
using Matrix.EventPersister.ThirdParty;
using Matrix.Replication;
using Matrix.Rooms.Aliases;
using Matrix.Rooms.Delayed;
using Matrix.Rooms.Ingest;
using Matrix.Rooms.Writing;
using Matrix.Storage;
using Matrix.Storage.AccountData;
using Matrix.Storage.Accounts;
using Matrix.Storage.DelayedEvents;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;
using Matrix.Storage.Media;
using Matrix.Storage.Profiles;
using Matrix.Storage.Relations;
using Matrix.Storage.Rooms;
using Matrix.Storage.Spaces;
using Matrix.Web.AppServices;
using Matrix.Web.Federation;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.EventPersister;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class EventPersisterService
{
    public const string Name = "eventpersister";

    public static IHostApplicationBuilder AddEventPersister(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton<RateLimiter>();
        builder.AddAppServiceRegistrations();
        services.TryAddSingleton<EventReader>();
        services.TryAddSingleton<RoomReader>();
        services.TryAddSingleton<StateReader>();
        services.TryAddSingleton<RoomLoader>();
        services.TryAddSingleton<StateKeys>();
        services.TryAddSingleton<ProfileStore>();
        services.AddSingleton(p =>
        {
            var database = p.GetRequiredService<Database>();
            return new Numbers(NidBlocks.OfEvents(database), NidBlocks.OfSnapshots(database), NidBlocks.OfRooms(database));
        });
        services.AddSingleton<RoomStorage>();
        services.AddSingleton<DatabaseTruth>();
        services.TryAddSingleton<ServerMembers>();
        services.AddSingleton<PolicyGate>();
        services.AddSingleton<GroupCommitter>();
        services.AddHostedService(p => p.GetRequiredService<GroupCommitter>());
        services.AddSingleton(p => new ActorTools(
            p.GetRequiredService<RoomStorage>(), p.GetRequiredService<ServerIdentity>(), p.GetRequiredService<GroupCommitter>(),
            p.GetRequiredService<DatabaseTruth>(), p.GetRequiredService<PolicyGate>(), p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<RoomActor>>()));
        services.AddSingleton<RoomActors>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<RoomActors>());
        services.TryAddSingleton<MediaMetadataStore>();
        services.AddSingleton<AvatarRules>();
        services.AddSingleton<ProfileCache>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<ProfileCache>());

        services.TryAddSingleton<AliasResolver>();
        services.AddSingleton<RoomAddresses>();
        services.AddSingleton<MembershipChanges>();
        services.AddSingleton<GuestRemoval>();
        services.AddThirdPartyInvites();
        services.AddSingleton<ContentRules>();
        services.TryAddSingleton<RelationReader>();
        services.AddSingleton<RelationRules>();
        services.TryAddSingleton<DelayedEventStore>();
        services.TryAddSingleton<DelayedEventDelivery>();
        services.AddSingleton<DelayedEvents>();
        services.AddSingleton<Sender>();
        services.AddSingleton<RoomCreation>();
        services.TryAddSingleton<RoomAliasMover>();
        services.TryAddSingleton<AccountDataStore>();
        services.TryAddSingleton<RoomBlocks>();
        services.TryAddSingleton<InvitePermissions>();
        services.AddSingleton<InviteRules>();
        services.TryAddSingleton<ServerNoticeStore>();
        services.AddSingleton<RoomSuccession>();
        services.AddSingleton<RoomUpgrade>();
        services.AddSingleton<SingleState>();
        services.AddSingleton<ProfilePropagation>();
        services.AddSingleton<ProfileChanges>();
        services.TryAddSingleton<RoomFactsReader>();
        services.AddSingleton<ProfileAccess>();
        services.AddFederationClient();
        services.TryAddSingleton<EventGraphReader>();
        services.AddSingleton<MissingEvents>();
        services.AddSingleton<PduIngestor>();
        services.TryAddSingleton<PolicyWaits>();
        services.AddSingleton<PolicyRetries>();
        services.AddHostedService(p => p.GetRequiredService<PolicyRetries>());
        services.Replace(ServiceDescriptor.Singleton<IPduIngest>(p => p.GetRequiredService<PduIngestor>()));
        services.AddSingleton<LocalRoomWriter>();
        // In the monolith others have registered the remote one: here the rooms are at hand.
        services.Replace(ServiceDescriptor.Singleton<IRoomWriter>(p => p.GetRequiredService<LocalRoomWriter>()));
        return builder;
    }

    public static IEndpointRouteBuilder MapEventPersister(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        routes.MapRoomCreation();
        routes.MapSending();
        routes.MapDelayedEvents();
        routes.MapMembership();
        routes.MapState();
        routes.MapProfiles();
        endpoints.MapRoomWriter();
        endpoints.MapPduIngest();
        return endpoints;
    }
}

using Matrix.ClientApi.Account;
using Matrix.ClientApi.AccountData;
using Matrix.ClientApi.AccountValidity;
using Matrix.ClientApi.Admin;
using Matrix.ClientApi.Capabilities;
using Matrix.ClientApi.Consent;
using Matrix.ClientApi.CrossSigning;
using Matrix.ClientApi.DehydratedDevices;
using Matrix.ClientApi.Devices;
using Matrix.ClientApi.KeyBackup;
using Matrix.ClientApi.Keys;
using Matrix.ClientApi.Notifications;
using Matrix.ClientApi.OAuth;
using Matrix.ClientApi.OpenId;
using Matrix.ClientApi.Presence;
using Matrix.ClientApi.PushRules;
using Matrix.ClientApi.Pushers;
using Matrix.ClientApi.Receipts;
using Matrix.ClientApi.RegistrationTokens;
using Matrix.ClientApi.Relations;
using Matrix.ClientApi.Reports;
using Matrix.ClientApi.RoomDirectory;
using Matrix.ClientApi.Rooms;
using Matrix.ClientApi.Search;
using Matrix.ClientApi.ServerNotices;
using Matrix.ClientApi.Spaces;
using Matrix.ClientApi.Sso;
using Matrix.ClientApi.ThirdParty;
using Matrix.ClientApi.ThirdPartyIds;
using Matrix.ClientApi.ToDevice;
using Matrix.ClientApi.Typing;
using Matrix.ClientApi.Uia;
using Matrix.ClientApi.Versions;
using Matrix.ClientApi.Voip;
using Matrix.Replication;
using Matrix.Rooms;
using Matrix.Rooms.Aggregations;
using Matrix.Rooms.Aliases;
using Matrix.Rooms.Ingest;
using Matrix.Rooms.Spaces;
using Matrix.Rooms.Writing;
using Matrix.ServiceDefaults;
using Matrix.Storage.AccountData;
using Matrix.Storage.Accounts;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;
using Matrix.Storage.Keys;
using Matrix.Storage.Push;
using Matrix.Storage.Pushers;
using Matrix.Storage.Receipts;
using Matrix.Storage.Relations;
using Matrix.Storage.Reports;
using Matrix.Storage.RoomDirectory;
using Matrix.Storage.Rooms;
using Matrix.Storage.Search;
using Matrix.Storage.Spaces;
using Matrix.Storage.Sync;
using Matrix.Storage.ToDevice;
using Matrix.Web.AppServices;
using Matrix.Web.Auth;
using Matrix.Web.Federation;
using Matrix.Web.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ClientApi;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class ClientApiService
{
    public const string Name = "clientapi";

    public static IHostApplicationBuilder AddClientApi(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        AddStores(services);
        services.AddSso();
        services.AddOAuth();
        builder.AddAccounts();
        services.AddSingleton<AccountDataWriter>();
        services.AddSingleton<ReceiptWriter>();
        services.AddSingleton<EventThreads>();
        services.AddSingleton<PushRuleBook>();
        services.AddSingleton<NotificationRooms>();
        services.AddSingleton<NotificationList>();
        services.AddSingleton<PresenceTracker>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<PresenceTracker>());
        services.AddSingleton<RoomPowers>();
        services.AddSingleton<PublicRoomList>();
        services.AddSingleton<CanonicalAliases>();
        services.TryAddSingleton<IRoomWriter, RemoteRoomWriter>();
        services.AddSingleton<RoomAccess>();
        services.AddSingleton<EventAnswers>();
        services.AddSingleton<OwnMemberships>();
        services.AddSingleton<EventLookup>();
        services.AddSingleton<RoomPager>();
        services.AddSingleton<ChildrenPager>();
        services.AddSingleton<RoomSnapshotReader>();
        services.AddFederationClient();
        services.TryAddSingleton<ServerMembers>();
        services.TryAddSingleton<RoomSummaries>();
        services.AddSingleton<RemoteSpaces>();
        services.TryAddSingleton<AliasResolver>();
        services.AddRemotePduIngest();
        services.AddSingleton<RemoteTimes>();
        services.AddSingleton<ClosestEvents>();
        services.AddSingleton<MessageSearch>();
        services.AddSingleton<SearchSurroundings>();
        services.AddSingleton<SpaceTree>();
        services.AddSingleton<MemberLists>();
        // In the monolith Sync may have registered one that knows nothing of retention.
        services.AddErasedUsers();
        services.Replace(ServiceDescriptor.Singleton(VisibilityOf));
        services.TryAddSingleton<Aggregator>();
        services.TryAddSingleton<OpenIdTokens>();
        services.AddSingleton<KeyQueries>();
        services.AddSingleton<KeyClaims>();
        services.AddSingleton<CrossSigningUpload>();
        services.AddSingleton<SignatureUpload>();
        return builder;
    }

    private static EventVisibility VisibilityOf(IServiceProvider p)
    {
        var config = p.GetRequiredService<HomeserverConfig>().Retention;
        var retention = MessageRetention.Of(config.Enabled, config.DefaultMaxLifetime, config.AllowedLifetimeMin, config.AllowedLifetimeMax);
        return new EventVisibility(
            p.GetRequiredService<StateReader>(), p.GetRequiredService<RoomReader>(), p.GetRequiredService<EventReader>(), retention, p.GetRequiredService<TimeProvider>(),
            p.GetRequiredService<ErasedUsers>());
    }

    private static void AddStores(IServiceCollection services)
    {
        services.TryAddSingleton<LoginTokenStore>();
        services.TryAddSingleton<AccountDataStore>();
        services.TryAddSingleton<FilterStore>();
        services.TryAddSingleton<ReceiptStore>();
        services.TryAddSingleton<ToDeviceStore>();
        services.TryAddSingleton<DeviceKeyStore>();
        services.TryAddSingleton<ContactReader>();
        services.TryAddSingleton<CrossSigningStore>();
        services.TryAddSingleton<KeyBackupStore>();
        services.TryAddSingleton<SyncReader>();
        services.TryAddSingleton<PusherSettingsStore>();
        services.TryAddSingleton<NotificationReader>();
        services.TryAddSingleton<RoomDirectoryStore>();
        services.TryAddSingleton<MembershipStore>();
        services.TryAddSingleton<RoomReader>();
        services.TryAddSingleton<StateReader>();
        services.TryAddSingleton<EventReader>();
        services.TryAddSingleton<RelationReader>();
        services.TryAddSingleton<ThreadReader>();
        services.TryAddSingleton<EventTimes>();
        services.TryAddSingleton<RoomFactsReader>();
        services.TryAddSingleton<ReportStore>();
        services.TryAddSingleton<SearchStore>();
    }

    public static IEndpointRouteBuilder MapClientApi(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        routes.MapVersions();
        routes.MapCapabilities();
        routes.MapLogin();
        routes.MapRegister();
        routes.MapSso();
        routes.MapOAuth();
        routes.MapWhoAmI();
        routes.MapPassword();
        routes.MapRegistrationTokens();
        routes.MapUiaFallback();
        routes.MapRequestTokens();
        routes.MapSubmitTokens();
        routes.MapThreepids();
        routes.MapConsent();
        routes.MapRenewals();
        routes.MapDevices();
        routes.MapSharedSecretRegistration();
        routes.MapModeration();
        routes.MapServerNotices();
        routes.MapAccountData();
        routes.MapTags();
        routes.MapFilters();
        routes.MapReceipts();
        routes.MapTyping();
        routes.MapPresence();
        routes.MapSendToDevice();
        routes.MapKeys();
        routes.MapCrossSigning();
        routes.MapKeyBackup();
        routes.MapDehydratedDevices();
        routes.MapPushRules();
        routes.MapPushers();
        routes.MapNotifications();
        routes.MapAliases();
        routes.MapPublishing();
        routes.MapPublicRooms();
        routes.MapRoomState();
        routes.MapRoomEvents();
        routes.MapMessages();
        routes.MapRelations();
        routes.MapThreadUpdates();
        routes.MapSpaces();
        routes.MapTimestampToEvent();
        routes.MapMutualRooms();
        routes.MapRoomInitialSync();
        routes.MapReports();
        routes.MapMessageSearch();
        routes.MapOpenId();
        routes.MapTurnServer();
        routes.MapThirdParty();
        return endpoints;
    }
}

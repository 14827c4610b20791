using Matrix.FederationInbound.Authentication;
using Matrix.FederationInbound.DeviceKeys;
using Matrix.FederationInbound.Keys;
using Matrix.FederationInbound.Queries;
using Matrix.FederationInbound.Rooms;
using Matrix.FederationInbound.ThirdParty;
using Matrix.FederationInbound.Transactions;
using Matrix.Rooms.Ingest;
using Matrix.Rooms.Spaces;
using Matrix.Rooms.Writing;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;
using Matrix.Storage.Keys;
using Matrix.Storage.Profiles;
using Matrix.Storage.Rooms;
using Matrix.Storage.Spaces;
using Matrix.Web.Auth;
using Matrix.Web.Federation;
using Matrix.Web.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.FederationInbound;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class FederationInboundService
{
    public const string Name = "federationinbound";

    public static IHostApplicationBuilder AddFederationInbound(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddFederationClient();
        services.AddSingleton<XMatrixAuthenticator>();
        services.AddSingleton<OwnKeys>();
        services.TryAddSingleton<ProfileStore>();
        services.TryAddSingleton<OpenIdTokens>();
        services.TryAddSingleton<DeviceKeyStore>();
        services.TryAddSingleton<RoomReader>();
        services.TryAddSingleton<StateReader>();
        services.TryAddSingleton<EventReader>();
        services.TryAddSingleton<EventGraphReader>();
        services.TryAddSingleton<ServerMembers>();
        services.TryAddSingleton<InboundStore>();
        services.TryAddSingleton<EventTimes>();
        services.AddErasedUsers();
        services.TryAddSingleton<RoomFactsReader>();
        services.TryAddSingleton<RoomSummaries>();
        services.AddRemotePduIngest();
        services.AddRemoteRoomWriter();
        services.AddSingleton<BindingNotices>();
        services.AddSingleton<RoomAccess>();
        services.AddSingleton<RoomHistory>();
        services.AddSingleton<TransactionIntake>();
        services.AddSingleton<InboundWork>();
        services.AddHostedService(p => p.GetRequiredService<InboundWork>());
        return builder;
    }

    public static IEndpointRouteBuilder MapFederationInbound(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        routes.MapKeys();
        routes.MapQueries();
        routes.MapHistory();
        routes.MapSpaces();
        routes.MapTimestampToEvent();
        routes.MapTransactions();
        routes.MapBindings();
        routes.MapDeviceKeys();
        return endpoints;
    }
}

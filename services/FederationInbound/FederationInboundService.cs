using Matrix.FederationClient;
using Matrix.FederationInbound.Authentication;
using Matrix.FederationInbound.Keys;
using Matrix.FederationInbound.Queries;
using Matrix.ServiceDefaults;
using Matrix.Storage.Directory;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
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
        services.AddFederationClient(p => ClientOptions(p.GetRequiredService<HomeserverConfig>()));
        services.AddSingleton<XMatrixAuthenticator>();
        services.AddSingleton<OwnKeys>();
        services.TryAddSingleton<ProfileReader>();
        services.TryAddSingleton<OpenIdTokens>();
        services.TryAddSingleton<RoomReader>();
        return builder;
    }

    private static FederationClientOptions ClientOptions(HomeserverConfig config) => new()
    {
        VerifyCertificates = config.FederationVerifyCertificates,
        CustomCaFiles = config.FederationCustomCaList,
        IpRangeBlacklist = config.IpRangeBlacklist,
        IpRangeWhitelist = config.IpRangeWhitelist,
        DomainWhitelist = config.FederationDomainWhitelist,
    };

    public static IEndpointRouteBuilder MapFederationInbound(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        routes.MapKeys();
        routes.MapQueries();
        return endpoints;
    }
}

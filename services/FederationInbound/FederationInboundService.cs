using Matrix.Web.Routing;

namespace Matrix.FederationInbound;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class FederationInboundService
{
    public const string Name = "federationinbound";

    public static IHostApplicationBuilder AddFederationInbound(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapFederationInbound(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

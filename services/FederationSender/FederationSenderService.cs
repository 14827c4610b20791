using Matrix.Web.Routing;

namespace Matrix.FederationSender;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class FederationSenderService
{
    public const string Name = "federationsender";

    public static IHostApplicationBuilder AddFederationSender(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapFederationSender(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

using Matrix.Web.Routing;

namespace Matrix.AppServices;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class AppServicesService
{
    public const string Name = "appservices";

    public static IHostApplicationBuilder AddAppServices(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapAppServices(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

using Matrix.Web.Routing;

namespace Matrix.Background;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class BackgroundService
{
    public const string Name = "background";

    public static IHostApplicationBuilder AddBackground(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapBackground(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

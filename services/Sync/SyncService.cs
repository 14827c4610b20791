using Matrix.Web.Routing;

namespace Matrix.Sync;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class SyncService
{
    public const string Name = "sync";

    public static IHostApplicationBuilder AddSync(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapSync(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

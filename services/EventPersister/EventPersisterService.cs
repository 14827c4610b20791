using Matrix.Web.Routing;

namespace Matrix.EventPersister;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class EventPersisterService
{
    public const string Name = "eventpersister";

    public static IHostApplicationBuilder AddEventPersister(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapEventPersister(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

using Matrix.Web.Routing;

namespace Matrix.Push;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class PushService
{
    public const string Name = "push";

    public static IHostApplicationBuilder AddPush(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapPush(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

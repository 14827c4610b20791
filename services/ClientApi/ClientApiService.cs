using Matrix.Web.Routing;

namespace Matrix.ClientApi;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class ClientApiService
{
    public const string Name = "clientapi";

    public static IHostApplicationBuilder AddClientApi(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapClientApi(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

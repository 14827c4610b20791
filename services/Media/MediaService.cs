using Matrix.Web.Routing;

namespace Matrix.Media;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class MediaService
{
    public const string Name = "media";

    public static IHostApplicationBuilder AddMedia(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapMedia(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

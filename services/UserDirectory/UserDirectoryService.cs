using Matrix.Web.Routing;

namespace Matrix.UserDirectory;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class UserDirectoryService
{
    public const string Name = "userdirectory";

    public static IHostApplicationBuilder AddUserDirectory(this IHostApplicationBuilder builder)
    {
        return builder;
    }

    public static IEndpointRouteBuilder MapUserDirectory(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        return endpoints;
    }
}

using Matrix.Storage.Directory;
using Matrix.Storage.Rooms;
using Matrix.UserDirectory.Endpoints;
using Matrix.UserDirectory.Index;
using Matrix.Web.Following;
using Matrix.Web.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.UserDirectory;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class UserDirectoryService
{
    public const string Name = "userdirectory";

    public static IHostApplicationBuilder AddUserDirectory(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton<ProfileReader>();
        services.TryAddSingleton<RoomReader>();
        services.AddSingleton<UserDirectoryStore>();
        services.AddFollowingDuty<DirectoryDuty>();
        return builder;
    }

    public static IEndpointRouteBuilder MapUserDirectory(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        routes.MapSearch();
        return endpoints;
    }
}

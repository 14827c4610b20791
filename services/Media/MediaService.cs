using Matrix.Media.Endpoints;
using Matrix.Media.Store;
using Matrix.ServiceDefaults;
using Matrix.Storage.Media;
using Matrix.Web.Media;
using Matrix.Web.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Media;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class MediaService
{
    public const string Name = "media";

    public static IHostApplicationBuilder AddMedia(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<MediaMetadataStore>();
        builder.Services.AddSingleton<MediaContext>();
        builder.Services.AddSingleton<MediaReader>();
        builder.Services.AddSingleton<MediaWriter>();
        builder.Services.Replace(ServiceDescriptor.Singleton<IMediaWriter>(p => p.GetRequiredService<MediaWriter>()));
        builder.Services.AddSingleton<IMediaStore>(p => new DirectoryMediaStore(p.GetRequiredService<HomeserverConfig>().MediaStorePath));
        return builder;
    }

    public static IEndpointRouteBuilder MapMedia(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        routes.MapUpload();
        routes.MapDownload();
        endpoints.MapStore();
        return endpoints;
    }
}

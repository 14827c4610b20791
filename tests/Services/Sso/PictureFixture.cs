using Matrix.EventPersister;
using Matrix.Media;
using Matrix.ServiceDefaults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace Matrix.ServiceTests.Sso;

/// <summary>With media. Of all addresses one is public; only the first instance lets profiles follow their providers.</summary>
public sealed class PictureFixture : SsoFixture
{
    public const int MaxUpload = 50_000;
    private bool isFirstMade;

    protected override HomeserverConfig Adjust(HomeserverConfig config)
    {
        var follows = !isFirstMade;
        isFirstMade = true;
        return config with
        {
            Sso = config.Sso with { UpdateProfileInformation = follows },
            IpRangeBlacklist = ["0.0.0.0/0", "::/0"], IpRangeWhitelist = ["127.0.0.1"], MediaStorePath = Path.Combine(Folder, "media"), MaxUploadSize = MaxUpload,
        };
    }

    protected override void Add(IHostApplicationBuilder builder) => builder.AddEventPersister().AddMedia();

    protected override void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapEventPersister();
        endpoints.MapMedia();
    }
}

using Matrix.FederationInbound;
using Matrix.Media;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.ClientApi;
using Matrix.Sync;
using Matrix.UserDirectory;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace Matrix.ServiceTests.Specification;

/// <summary>Every service that answers clients and servers, in one host.</summary>
public sealed class WholeFixture : ClientApiFixture
{
    private readonly string folder = Directory.CreateTempSubdirectory("armada-whole").FullName;

    protected override void Add(IHostApplicationBuilder builder) => builder.AddSync().AddMedia().AddUserDirectory().AddFederationInbound();
    protected override void Map(IEndpointRouteBuilder routes) => routes.MapSync().MapMedia().MapUserDirectory().MapFederationInbound();
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with { MediaStorePath = folder, FederationVerifyCertificates = false };
}

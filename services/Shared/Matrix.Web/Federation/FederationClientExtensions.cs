using Matrix.FederationClient;
using Matrix.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.Web.Federation;

public static class FederationClientExtensions
{
    /// <summary>Requests to other servers, as homeserver.yaml wants them made. Once a process, whichever of its services asks first.</summary>
    public static IServiceCollection AddFederationClient(this IServiceCollection services) =>
        services.AddFederationClient(p => Options(p.GetRequiredService<HomeserverConfig>()));

    private static FederationClientOptions Options(HomeserverConfig config) => new()
    {
        VerifyCertificates = config.FederationVerifyCertificates,
        CustomCaFiles = config.FederationCustomCaList,
        IpRangeBlacklist = config.IpRangeBlacklist,
        IpRangeWhitelist = config.IpRangeWhitelist,
        DomainWhitelist = config.FederationDomainWhitelist,
    };
}

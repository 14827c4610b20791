using Matrix.FederationClient.Identity;
using Matrix.FederationClient.Outbound;
using Matrix.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.EventPersister.ThirdParty;

internal static class ThirdPartyServices
{
    public static void AddThirdPartyInvites(this IServiceCollection services)
    {
        services.TryAddSingleton(p =>
        {
            var config = p.GetRequiredService<HomeserverConfig>();
            return new IdentityHttp(new IpRangeList(config.IpRangeBlacklist, config.IpRangeWhitelist), config.OutboundVerifyCertificates);
        });
        services.AddSingleton<IdentityDirectory>();
        services.AddSingleton<ThirdPartyExchange>();
        services.AddSingleton<ThirdPartyInvites>();
    }
}

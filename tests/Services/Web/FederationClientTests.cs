using Matrix.FederationClient;
using Matrix.ServiceDefaults;
using Matrix.Web.Federation;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Web;

public sealed class FederationClientTests
{
    [Fact]
    public void Other_servers_are_reached_as_the_configuration_says()
    {
        var config = new HomeserverConfig
        {
            ServerName = "test.example", Database = new() { ConnectionString = "" }, FederationVerifyCertificates = false, FederationCustomCaList = ["ca.pem"],
            IpRangeBlacklist = ["10.0.0.0/8"], IpRangeWhitelist = ["10.1.0.0/16"], FederationDomainWhitelist = ["other.example"],
        };
        var services = new ServiceCollection().AddSingleton(config).AddFederationClient();
        using var provider = services.AddFederationClient().BuildServiceProvider();
        var options = Assert.Single(provider.GetServices<FederationClientOptions>());
        Assert.False(options.VerifyCertificates);
        Assert.Equal(["ca.pem", "10.0.0.0/8", "10.1.0.0/16", "other.example"],
            [.. options.CustomCaFiles, .. options.IpRangeBlacklist, .. options.IpRangeWhitelist, .. options.DomainWhitelist!]);
    }
}

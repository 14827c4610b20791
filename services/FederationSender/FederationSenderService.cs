using Matrix.FederationSender.Following;
using Matrix.Storage.Federation;
using Matrix.Web.Following;

namespace Matrix.FederationSender;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class FederationSenderService
{
    public const string Name = "federationsender";

    public static IHostApplicationBuilder AddFederationSender(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<DestinationReader>();
        builder.Services.AddSingleton<FederationSenderMetrics>();
        builder.Services.AddFollowingDuty<DestinationDuty>();
        return builder;
    }

    /// <summary>No routes: who wants something sent writes to the streams.</summary>
    public static IEndpointRouteBuilder MapFederationSender(this IEndpointRouteBuilder endpoints) => endpoints;
}

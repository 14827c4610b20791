using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Web;

/// <summary>What every service of the fleet starts from.</summary>
public static class MatrixService
{
    /// <summary>Configuration, telemetry, database, replication, identity, authentication: all that is the same everywhere.</summary>
    public static WebApplicationBuilder Create(string service, string[] args)
    {
        var builder = ServiceDefaultsExtensions.CreateService(service, args);
        builder.Services.AddMatrixFoundation();
        return builder;
    }

    /// <summary>Maps health and metrics and runs; returns the exit code.</summary>
    public static async Task<int> RunMatrixAsync(this WebApplication app)
    {
        app.MapServiceDefaults();
        await app.RunAsync();
        return 0;
    }

    private static void AddMatrixFoundation(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(p => new ServerIdentity(
            p.GetRequiredService<HomeserverConfig>().ServerName,
            SigningKeyFile.Read(p.GetRequiredService<HomeserverConfig>().SigningKeyPath),
            Ed25519.Default));
        services.AddSingleton<AccessTokenStore>();
        services.AddSingleton<TokenAuthenticator>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<TokenAuthenticator>());
        services.AddSingleton<IRequestAuthenticator, UserTokenAuthenticator>();
    }
}

using Matrix.ClientApi.Uia;
using Matrix.Storage.OAuth;
using Matrix.Web.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ClientApi.OAuth;

/// <summary>Registers the OAuth 2.0 API and our pages for it.</summary>
internal static class OAuthService
{
    public static void AddOAuth(this IServiceCollection services)
    {
        services.TryAddSingleton<OAuthClientStore>();
        services.TryAddSingleton<OAuthSessionStore>();
        services.TryAddSingleton<DeviceCodeStore>();
        services.AddSingleton<OAuthAddresses>();
        services.AddSingleton<OAuthClients>();
        services.AddSingleton<OAuthTokenIssuer>();
        services.AddSingleton<SignUpPolicy>();
        services.AddSingleton<WebLogin>();
        services.AddSingleton<LoginPages>();
        services.AddSingleton<SignUps>();
        services.AddSingleton<SignUpAccounts>();
        services.AddSingleton<SignUpPages>();
        services.AddSingleton<OwnLogin>();
        services.AddSingleton<IUiaStage, OAuthStage>();
        services.AddSingleton<IUiaStage, UnstableOAuthStage>();
    }

    public static void MapOAuth(this ClientRoutes routes)
    {
        routes.MapOAuthMetadata();
        routes.MapTokens();
        routes.MapAuthorize();
        routes.MapLoginPages();
        routes.MapSignUp();
        routes.MapOwnLogin();
        routes.MapDevicePages();
        routes.MapAccountPages();
    }
}

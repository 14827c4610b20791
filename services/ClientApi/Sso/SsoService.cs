using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso.Cas;
using Matrix.ClientApi.Sso.Oidc;
using Matrix.ClientApi.Sso.Pictures;
using Matrix.ClientApi.Sso.Saml;
using Matrix.ClientApi.Uia;
using Matrix.ServiceDefaults;
using Matrix.Storage.Directory;
using Matrix.Storage.Media;
using Matrix.Storage.Profiles;
using Matrix.Storage.Sso;
using Matrix.Web.Media;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ClientApi.Sso;

/// <summary>Registers single sign-on.</summary>
internal static class SsoService
{
    public static void AddSso(this IServiceCollection services)
    {
        services.TryAddSingleton<PendingStepStore>();
        services.TryAddSingleton<ExternalIdStore>();
        services.TryAddSingleton<WebSessionStore>();
        services.TryAddSingleton<ProfileReader>();
        services.AddSingleton<PageTemplates>();
        services.AddSingleton<Pages.Pages>();
        services.AddSingleton<ProviderHttp>();
        services.AddSingleton<SsoSteps>();
        services.AddSingleton<SsoPages>();
        services.AddSingleton<SsoAccounts>();
        services.AddSingleton<SsoUiaResults>();
        services.AddSingleton<SsoLogin>();
        services.TryAddSingleton<ProfileStore>();
        services.TryAddSingleton<MediaMetadataStore>();
        services.TryAddSingleton<IMediaWriter, RemoteMediaWriter>();
        services.AddSingleton<PictureHttp>();
        services.AddSingleton<SsoPictures>();
        services.AddSingleton<SsoProfiles>();
        services.AddSingleton<SsoRegistrations>();
        services.AddSingleton<SsoCallbacks>();
        services.AddSingleton<SsoFlows>();
        services.AddSingleton<IUiaStage, SsoStage>();
        services.AddSingleton<ILoginType, SsoLoginType>();
        services.AddSingleton(p => new SsoProviders(Providers(p)));
    }

    private static IEnumerable<ISsoProvider> Providers(IServiceProvider p)
    {
        var config = p.GetRequiredService<HomeserverConfig>();
        var steps = p.GetRequiredService<SsoSteps>();
        var http = p.GetRequiredService<ProviderHttp>();
        var clock = p.GetRequiredService<TimeProvider>();
        if (config.Sso.Cas is { } cas) yield return new CasProvider(cas, config, steps, http);
        if (config.Sso.Saml is { } saml) yield return new SamlProvider(saml, config, steps, p.GetRequiredService<PendingStepStore>(), http, clock);
        foreach (var oidc in config.Sso.Oidc) yield return new OidcProvider(oidc, config, steps, http, clock);
    }
}

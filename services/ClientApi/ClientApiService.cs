using Matrix.ClientApi.Account;
using Matrix.ClientApi.Admin;
using Matrix.ClientApi.Capabilities;
using Matrix.ClientApi.Devices;
using Matrix.ClientApi.Uia;
using Matrix.ClientApi.Versions;
using Matrix.Storage.Accounts;
using Matrix.Web.Routing;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ClientApi;

/// <summary>What the monolith and Program.cs need to know of this service.</summary>
public static class ClientApiService
{
    public const string Name = "clientapi";

    public static IHostApplicationBuilder AddClientApi(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton<AccountStore>();
        services.TryAddSingleton<DeviceStore>();
        services.TryAddSingleton<RegistrationNonceStore>();
        services.TryAddSingleton<UiaSessionStore>();
        services.AddSingleton<PasswordHasher>();
        services.AddSingleton<PasswordLogin>();
        services.AddSingleton<Sessions>();
        services.AddSingleton<Registration>();
        services.AddSingleton<InteractiveAuth>();
        services.AddSingleton<IUiaStage, DummyStage>();
        services.AddSingleton<IUiaStage, PasswordStage>();
        return builder;
    }

    public static IEndpointRouteBuilder MapClientApi(this IEndpointRouteBuilder endpoints)
    {
        var routes = new ClientRoutes(endpoints, Name);
        routes.MapVersions();
        routes.MapCapabilities();
        routes.MapLogin();
        routes.MapRegister();
        routes.MapWhoAmI();
        routes.MapPassword();
        routes.MapDevices();
        routes.MapSharedSecretRegistration();
        return endpoints;
    }
}

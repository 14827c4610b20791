using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Matrix.Web.AppServices;

public static class AppServiceExtensions
{
    /// <summary>
    /// Reads the registration files, once a process whichever of its services asks first. Faults end the process with every one of them said, as
    /// those of homeserver.yaml do.
    /// </summary>
    public static AppServiceRegistrations AddAppServiceRegistrations(this IHostApplicationBuilder builder)
    {
        if (Find<AppServiceRegistrations>(builder) is { } known) return known;
        var config = Find<HomeserverConfig>(builder) ?? throw new InvalidOperationException("The configuration comes first.");
        var (registrations, faults) = AppServiceRegistrationFile.Load(config.AppServiceConfigFiles, config.ServerName);
        if (faults.Count > 0) throw ServiceDefaultsExtensions.Leave(ServiceDefaultsExtensions.ConfigurationFault, ConfigFault.Format(faults));
        builder.Services.AddSingleton(registrations);
        return registrations;
    }

    private static T? Find<T>(IHostApplicationBuilder builder) where T : class =>
        builder.Services.LastOrDefault(d => d.ServiceType == typeof(T))?.ImplementationInstance as T;
}

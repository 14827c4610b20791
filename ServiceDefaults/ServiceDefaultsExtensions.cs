using Microsoft.AspNetCore.Builder;

namespace Matrix.ServiceDefaults;

public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Reads the configuration (ARMADA_CONFIG; exits with code 2 and every fault at once when it is wrong), registers
    /// <see cref="HomeserverConfig"/>, <see cref="InstanceIdentity"/> and TimeProvider, listens, sets up logs, traces, metrics, health and shutdown.
    /// </summary>
    public static WebApplicationBuilder CreateService(string service, string[] args) => throw new NotImplementedException();

    /// <summary>Maps /_internal/health/live, /_internal/health/ready and /_internal/metrics on the internal port only.</summary>
    public static WebApplication MapServiceDefaults(this WebApplication app) => throw new NotImplementedException();
}

using Matrix.ServiceDefaults.Configuration;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceDefaults.Hosting;

/// <summary>Before anything else starts: are the ports free? And, once, what of the configuration has no effect.</summary>
internal sealed partial class StartReport(LoadedConfig loaded, Listeners listeners, IServer server, ILogger log) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // The first hosted service: nothing has begun yet that would have to be stopped. A test server binds no ports.
        if (server.GetType().Namespace?.Contains("Kestrel", StringComparison.Ordinal) == true && listeners.FindConflict() is { } conflict)
        {
            throw ServiceDefaultsExtensions.Leave(ServiceDefaultsExtensions.ListenFault, conflict);
        }

        foreach (var warning in loaded.Warnings)
        {
            LogWarning(log, warning);
        }

        if (loaded.Config is { IgnoredKeys.Count: > 0 } config)
        {
            LogIgnored(log, string.Join(", ", config.IgnoredKeys));
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(2, LogLevel.Warning, "Configuration: {Warning}")]
    private static partial void LogWarning(ILogger log, string warning);

    [LoggerMessage(3, LogLevel.Information, "Configuration: keys of Synapse without effect here: {Keys}")]
    private static partial void LogIgnored(ILogger log, string keys);
}

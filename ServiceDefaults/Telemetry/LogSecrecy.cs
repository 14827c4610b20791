using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceDefaults.Telemetry;

/// <summary>
/// Queries of requests hold access tokens, login tokens and codes, and some of the platform's own messages repeat whole addresses. Those are never written,
/// whatever level the configuration asks for.
/// </summary>
public static class LogSecrecy
{
    private static readonly string[] Categories =
    [
        "Microsoft.AspNetCore.Hosting.Diagnostics",             // "Request starting", with the query
        "Microsoft.AspNetCore.Server.Kestrel.BadRequests",      // the request line that could not be read
        "Yarp.ReverseProxy.Forwarder.HttpForwarder",            // "Proxying to", with the query
    ];

    public static ILoggingBuilder KeepQueriesOut(this ILoggingBuilder builder)
    {
        builder.Services.PostConfigure<LoggerFilterOptions>(options =>
        {
            // After all others, and for every provider that has rules of its own: of equally narrow rules the last one counts.
            string?[] providers = [null, .. options.Rules.Select(r => r.ProviderName).OfType<string>().Distinct()];
            foreach (var provider in providers)
                foreach (var category in Categories) options.Rules.Add(new LoggerFilterRule(provider, category, LogLevel.Warning, null));
        });
        return builder;
    }
}

using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Dashboard;

/// <summary>The real dashboard as one more process, and what others must know to reach it. Everything on loopback.</summary>
internal sealed record DashboardSetup(ExecutableResource Resource, string FrontendUrl, int ResourceServicePort, string ResourceServiceKey,
    IReadOnlyList<KeyValuePair<string, string>> ServiceEnvironment)
{
    public static DashboardSetup Create(AspireTools tools, IConfiguration configuration)
    {
        var frontend = FreePort(int.Parse(configuration["LocalHosting:DashboardPort"] ?? "18888", CultureInfo.InvariantCulture));
        var otlp = FreePort(frontend + 1);
        var otlpHttp = FreePort(otlp + 1);
        var resourceService = FreePort(otlpHttp + 1);
        var key = RandomNumberGenerator.GetHexString(32, lowercase: true);
        var otlpUrl = Url(otlp);
        var resource = new ExecutableResource("aspire-dashboard", tools.Dashboard, Path.GetDirectoryName(tools.Dashboard)!) { IsHidden = true };
        resource.Arguments.Add("dashboard");
        resource.Endpoints.Add(new("http") { Port = frontend, IsProxied = false });
        resource.HttpProbes.Add(new("http", "/api/telemetry/resources"));
        Set("ASPNETCORE_URLS", Url(frontend));
        Set("ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL", otlpUrl);
        Set("ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL", Url(otlpHttp));
        Set("ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS", "true");
        // Only this machine reaches any of it.
        Set("DASHBOARD__OTLP__SUPPRESSUNSECUREDTELEMETRYMESSAGE", "true");
        Set("ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL", Url(resourceService));
        Set("DASHBOARD__RESOURCESERVICECLIENT__AUTHMODE", "ApiKey");
        Set("DASHBOARD__RESOURCESERVICECLIENT__APIKEY", key);
        // Enough for an afternoon; the dashboard holds it in memory.
        Set("DASHBOARD__TELEMETRYLIMITS__MAXTRACECOUNT", "10000");
        Set("DOTNET_gcServer", "0");
        return new(resource, Url(frontend).Replace("127.0.0.1", "localhost", StringComparison.Ordinal), resourceService, key,
        [
            new("OTEL_EXPORTER_OTLP_ENDPOINT", otlpUrl),
            new("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            // Soon enough to watch, seldom enough for a small machine.
            new("OTEL_BSP_SCHEDULE_DELAY", "1000"),
            new("OTEL_BLRP_SCHEDULE_DELAY", "1000"),
            new("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
        ]);

        void Set(string name, string value) => resource.Environment.Add(new(name, () => value));
    }

    private static string Url(int port) => string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");

    /// <summary>The wished one, or the next that is free.</summary>
    private static int FreePort(int wished)
    {
        for (var port = wished; ; port++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
                return port;
            }
            catch (SocketException) when (port < wished + 1000)
            {
                continue;
            }
        }
    }
}

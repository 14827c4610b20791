using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting;

/// <summary>The programs of Aspire, found the way its own AppHost finds them.</summary>
/// <param name="Dcp">Orchestrator.</param>
/// <param name="Dashboard">Dashboard, started with the argument <c>dashboard</c>.</param>
internal sealed record AspireTools(string Dcp, string Dashboard)
{
    public static AspireTools? Find(IConfiguration configuration)
    {
        if (configuration["LocalHosting:Dashboard"] is "false" or "False")
        {
            return null;
        }

        var dcp = configuration["DcpPublisher:CliPath"] ?? (configuration["ASPIRE_DCP_PATH"] is { } folder ? Path.Combine(folder, "dcp") : null);
        var dashboard = configuration["DcpPublisher:DashboardPath"] ?? configuration["ASPIRE_DASHBOARD_PATH"];
        return File.Exists(dcp) && File.Exists(dashboard) ? new(dcp, dashboard) : null;
    }
}

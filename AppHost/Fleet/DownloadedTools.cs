using Microsoft.Extensions.Configuration;

namespace Matrix.AppHost.Fleet;

/// <summary>dcp and the dashboard as ./run unpacks them from the npm package, for whoever starts AppHost without ./run.</summary>
internal static class DownloadedTools
{
    public static void Locate(IConfigurationManager configuration)
    {
        var versions = Path.Combine(Repository.Artifacts, "aspire", "package", "versions");
        if (configuration["ASPIRE_DCP_PATH"] is not null || configuration["DcpPublisher:CliPath"] is not null || !Directory.Exists(versions))
        {
            return;
        }

        foreach (var folder in Directory.GetDirectories(versions))
        {
            var (dcp, dashboard) = (Path.Combine(folder, "dcp"), Path.Combine(folder, "managed", "aspire-managed"));
            if (File.Exists(Path.Combine(dcp, "dcp")) && File.Exists(dashboard))
            {
                configuration["ASPIRE_DCP_PATH"] = dcp;
                configuration["ASPIRE_DASHBOARD_PATH"] = dashboard;
                return;
            }
        }
    }
}

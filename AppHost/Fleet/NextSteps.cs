using System.Globalization;

namespace Matrix.AppHost.Fleet;

internal static class NextSteps
{
    /// <summary>End of the table that a run prints.</summary>
    public static string Text(LocalRun run)
    {
        var address = string.Create(CultureInfo.InvariantCulture, $"{(run.PublicEndpoint.Tls ? "https" : "http")}://localhost:{run.PublicEndpoint.Port}");
        var data = run.DataFolder == Path.Combine(Repository.Root, "data") ? "" : $" --data {run.DataFolder}";
        var config = run.ConfigFile == Path.Combine(run.DataFolder, "homeserver.yaml") ? "" : $" --config {run.ConfigFile}";
        var port = run.Port is { } given ? string.Create(CultureInfo.InvariantCulture, $" --port {given}") : "";
        return $"""
            Next, in another terminal:
              ./run user alice{data}{config}{port}      makes an account, @alice:{run.Config.ServerName}
            Then sign in with any Matrix client, with {address} as its homeserver.
            Ctrl-C stops everything; the next ./run finds the data again.
            """;
    }
}

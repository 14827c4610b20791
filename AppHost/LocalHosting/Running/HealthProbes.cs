using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Running;

/// <summary>Asks resources how they are: HTTP probes, and health checks that the program registered.</summary>
internal sealed class HealthProbes(HealthCheckService checks, TimeProvider time) : IDisposable
{
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(3) };

    public async Task<IReadOnlyList<HealthView>> CheckAsync(ProcessResource resource, CancellationToken ct)
    {
        var results = new List<HealthView>();
        foreach (var probe in resource.HttpProbes)
        {
            var url = resource.Endpoints.Single(e => e.Name == probe.EndpointName).Url + probe.Path;
            results.Add(await ProbeAsync($"{resource.Name}_{probe.EndpointName}_{probe.Path}", url, ct));
        }

        foreach (var key in resource.HealthCheckKeys)
        {
            var report = await checks.CheckHealthAsync(r => r.Name == key, ct);
            results.Add(new(key, report.Status == HealthStatus.Healthy, report.Entries.Values.FirstOrDefault().Description ?? "", time.GetUtcNow()));
        }

        return results;
    }

    public void Dispose() => _http.Dispose();

    private async Task<HealthView> ProbeAsync(string key, string url, CancellationToken ct)
    {
        try
        {
            using var response = await _http.GetAsync(url, ct);
            return new(key, response.IsSuccessStatusCode, response.IsSuccessStatusCode ? "" : await response.Content.ReadAsStringAsync(ct), time.GetUtcNow());
        }
        catch (HttpRequestException e)
        {
            return new(key, false, e.Message, time.GetUtcNow());
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new(key, false, "no answer within 3 s", time.GetUtcNow());
        }
    }
}

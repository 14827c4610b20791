using System.Diagnostics.Metrics;

namespace Matrix.AppServices.Following;

internal sealed class AppServiceMetrics : IDisposable
{
    public const string MeterName = "Armada.AppServices";
    private readonly Meter meter = new(MeterName);
    private readonly Counter<long> interesting;

    public AppServiceMetrics() => interesting = meter.CreateCounter<long>("appservices.events", description: "Events that an application service is interested in");

    public void Interesting(string id, int count)
    {
        if (count > 0) interesting.Add(count, new KeyValuePair<string, object?>("appservice", id));
    }

    public void Dispose() => meter.Dispose();
}

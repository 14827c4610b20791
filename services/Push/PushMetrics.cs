using System.Diagnostics.Metrics;

namespace Matrix.Push;

internal sealed class PushMetrics : IDisposable
{
    public const string MeterName = "Armada.Push";
    private readonly Meter meter = new(MeterName);
    private readonly Counter<long> deliveries;
    private readonly Counter<long> evaluated;

    public PushMetrics()
    {
        deliveries = meter.CreateCounter<long>("push.deliveries", description: "Requests to push gateways by outcome");
        evaluated = meter.CreateCounter<long>("push.evaluated", description: "Events whose push rules were evaluated for somebody");
    }

    public void Delivered() => deliveries.Add(1, new KeyValuePair<string, object?>("outcome", "delivered"));
    public void Failed() => deliveries.Add(1, new KeyValuePair<string, object?>("outcome", "failed"));
    public void Dropped() => deliveries.Add(1, new KeyValuePair<string, object?>("outcome", "dropped"));
    public void Evaluated() => evaluated.Add(1);
    public void Dispose() => meter.Dispose();
}

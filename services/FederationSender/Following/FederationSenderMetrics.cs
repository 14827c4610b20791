using System.Diagnostics.Metrics;

namespace Matrix.FederationSender.Following;

internal sealed class FederationSenderMetrics : IDisposable
{
    public const string MeterName = "Armada.FederationSender";
    private readonly Meter meter = new(MeterName);
    private readonly Counter<long> due;

    public FederationSenderMetrics() => due = meter.CreateCounter<long>("federation_sender.due", description: "PDUs and EDUs times destinations that were due");

    public void Due(string kind, int count)
    {
        if (count > 0) due.Add(count, new KeyValuePair<string, object?>("kind", kind));
    }

    public void Dispose() => meter.Dispose();
}

using System.Diagnostics;
using OpenTelemetry.Trace;

namespace Matrix.ServiceDefaults.Telemetry;

/// <summary>
/// Decides which traces are kept. Traces begin with a request, or with work that opens a span of its own. A query or a call that nobody asked for is
/// housekeeping (heartbeats, polls); there are hundreds a minute, and they would bury everything else. Clients' polls are most of all requests: each
/// message ends one in every client of the room, so they have a share of their own. The message's trace names the delivery all the same.
/// </summary>
internal sealed class RootSampler(double share, double shareOfPolls) : Sampler
{
    private readonly TraceIdRatioBasedSampler _all = new(share);
    private readonly TraceIdRatioBasedSampler _polls = new(share * shareOfPolls);

    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters) =>
        samplingParameters.Kind == ActivityKind.Client ? new(SamplingDecision.Drop)
        : (IsPoll(samplingParameters.Tags) ? _polls : _all).ShouldSample(samplingParameters);

    private static bool IsPoll(IEnumerable<KeyValuePair<string, object?>>? tags)
    {
        foreach (var (key, value) in tags ?? [])
        {
            if (key == "url.path") return value is string path && path.StartsWith("/_matrix/client/", StringComparison.Ordinal)
                && path.EndsWith("/sync", StringComparison.Ordinal);
        }
        return false;
    }
}

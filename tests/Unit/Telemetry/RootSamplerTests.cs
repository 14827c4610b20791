using System.Diagnostics;
using Matrix.ServiceDefaults.Telemetry;
using OpenTelemetry.Trace;

namespace Matrix.Unit.Telemetry;

public sealed class RootSamplerTests
{
    [Theory]
    [InlineData(ActivityKind.Server, "/_matrix/client/v3/rooms/!a/send/m.room.message/1", 1000, 1000)]
    [InlineData(ActivityKind.Server, "/_matrix/client/v3/sync", 50, 150)]
    [InlineData(ActivityKind.Server, "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", 50, 150)]
    [InlineData(ActivityKind.Client, "", 0, 0)]
    public void Polls_are_traced_one_in_ten_and_housekeeping_never(ActivityKind kind, string path, int least, int most)
    {
        var sampler = new RootSampler(1, 0.1);
        var random = new Random(1);
        var id = new byte[16];
        var kept = Enumerable.Range(0, 1000).Count(_ =>
        {
            random.NextBytes(id);
            var parameters = new SamplingParameters(default, ActivityTraceId.CreateFromBytes(id), "request", kind, [new("url.scheme", "http"), new("url.path", path)]);
            return sampler.ShouldSample(parameters).Decision == SamplingDecision.RecordAndSample;
        });
        Assert.InRange(kept, least, most);
    }
}

using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Matrix.Replication.Following;

/// <summary>Unhealthy: must not answer requests. Degraded: answers, with the delay of polling because the bus is away.</summary>
internal sealed class ReplicationHealthCheck(StreamFollower follower) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(Check());

    private HealthCheckResult Check()
    {
        if (follower.Fault is { } fault) return HealthCheckResult.Unhealthy("A reader of the streams failed; restart this process.", fault);
        if (!follower.IsReady) return HealthCheckResult.Unhealthy("Positions of the streams are not known yet.");
        return follower.BusIsConnected
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded("Redis is away; streams are polled from the database.");
    }
}

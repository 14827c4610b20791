using Matrix.ServiceDefaults;
using Matrix.Storage.Instances;
using Matrix.Web;

namespace Matrix.Background.Duties;

/// <summary>Runs every duty at its interval, each under its lease. A duty that fails is tried again at its next turn and never stops the others.</summary>
internal sealed class DutyRunner(
    IEnumerable<IBackgroundDuty> duties, LeaseStore leases, InstanceIdentity me, DutyMetrics metrics, TimeProvider clock, ILogger<DutyRunner> log)
    : Microsoft.Extensions.Hosting.BackgroundService
{
    private static readonly TimeSpan LeaseSlack = TimeSpan.FromSeconds(30);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(duties.Select(d => RepeatAsync(d, stoppingToken)));

    private Task RepeatAsync(IBackgroundDuty duty, CancellationToken ct) =>
        new Rounds(duty.Name, clock, log) { OnFailure = () => metrics.Failed(duty.Name) }.EveryAsync(duty.Interval, c => TurnAsync(duty, c), ct);

    /// <summary>One turn: portions until nothing is left. False when another instance has the duty.</summary>
    internal async Task<bool> TurnAsync(IBackgroundDuty duty, CancellationToken ct)
    {
        // The lease outlives the interval: who did a duty goes on doing it, and another takes over only when that one is gone.
        var lease = "background:" + duty.Name;
        var life = duty.Interval + LeaseSlack;
        if (!await leases.TryTakeAsync(lease, me.Name, life, ct)) return false;
        var started = clock.GetTimestamp();
        int rows;
        do
        {
            rows = await duty.RunAsync(ct);
            metrics.Progressed(duty.Name, rows);
        }
        while (rows > 0 && await leases.TryTakeAsync(lease, me.Name, life, ct));
        metrics.Completed(duty.Name, clock.GetElapsedTime(started));
        return true;
    }
}

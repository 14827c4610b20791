using Matrix.ServiceDefaults;
using Matrix.Storage.Instances;
using Npgsql;

namespace Matrix.Background.Duties;

/// <summary>Runs every duty at its interval, each under its lease. A duty that fails is tried again at its next turn and never stops the others.</summary>
internal sealed partial class DutyRunner(
    IEnumerable<IBackgroundDuty> duties, LeaseStore leases, InstanceIdentity me, DutyMetrics metrics, TimeProvider clock, ILogger<DutyRunner> log)
    : Microsoft.Extensions.Hosting.BackgroundService
{
    private static readonly TimeSpan LeaseSlack = TimeSpan.FromSeconds(30);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(duties.Select(d => RepeatAsync(d, stoppingToken)));

    private async Task RepeatAsync(IBackgroundDuty duty, CancellationToken ct)
    {
        await Task.Yield();
        while (!ct.IsCancellationRequested)
        {
            try
            {
                await TurnAsync(duty, ct);
            }
            catch (OperationCanceledException) when (ct.IsCancellationRequested)
            {
                break;
            }
            catch (NpgsqlException e)
            {
                metrics.Failed(duty.Name);
                LogSetBack(duty.Name, e.Message);
            }
            catch (Exception e)
            {
                metrics.Failed(duty.Name);
                LogFailed(e, duty.Name);
            }
            await Task.Delay(duty.Interval, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

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

    [LoggerMessage(1, LogLevel.Warning, "{Duty} pauses: {Reason}")]
    private partial void LogSetBack(string duty, string reason);

    [LoggerMessage(2, LogLevel.Error, "{Duty} failed; it is tried again at its next turn")]
    private partial void LogFailed(Exception e, string duty);
}

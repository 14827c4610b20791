using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Instances;
using Npgsql;

namespace Matrix.ClientApi.ServerNotices;

/// <summary>Goes the rounds once a minute, in one instance: the one that holds the lease.</summary>
internal sealed partial class NoticeTimer(NoticeRounds rounds, LeaseStore leases, InstanceIdentity me, TimeProvider clock, ILogger<NoticeTimer> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!rounds.AreNeeded) return;
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    if (await leases.TryTakeAsync("clientapi:server_notices", me.Name, 2 * Every, stoppingToken)) await rounds.RunAsync(stoppingToken);
                }
                catch (Exception e) when (e is NpgsqlException or MatrixException)
                {
                    LogSetBack(log, e.Message);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
    }

    [LoggerMessage(4041, LogLevel.Warning, "Server notices wait: {Reason}")]
    private static partial void LogSetBack(ILogger log, string reason);
}

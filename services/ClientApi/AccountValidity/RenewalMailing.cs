using Matrix.Primitives;
using Npgsql;

namespace Matrix.ClientApi.AccountValidity;

/// <summary>Looks now and then who has to be asked. Any number of instances may: each user is claimed by one.</summary>
internal sealed partial class RenewalMailing(Renewals renewals, TimeProvider clock, ILogger<RenewalMailing> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            do
            {
                try
                {
                    while (await renewals.SendDueAsync(stoppingToken) > 0) { }
                }
                catch (Exception e) when (e is NpgsqlException or MatrixException)
                {
                    LogSetBack(log, e.Message);
                }
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
    }

    [LoggerMessage(4030, LogLevel.Warning, "Mails about ending accounts wait: {Reason}")]
    private static partial void LogSetBack(ILogger log, string reason);
}

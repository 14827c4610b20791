using Matrix.Primitives;
using Npgsql;

namespace Matrix.ClientApi.AutoJoining;

/// <summary>Takes up, once a minute, what was left undone. Every instance may: no two take the same account.</summary>
internal sealed partial class AutoJoinTimer(AutoJoins joins, TimeProvider clock, ILogger<AutoJoinTimer> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!joins.AreWanted) return;
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    while (await joins.RunDueAsync(clock.GetUtcNow().ToUnixTimeMilliseconds(), stoppingToken)) { }
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

    [LoggerMessage(4053, LogLevel.Warning, "New users wait for their rooms: {Reason}")]
    private static partial void LogSetBack(ILogger log, string reason);
}

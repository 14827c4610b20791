using Matrix.Rooms.Delayed;
using Matrix.Storage.DelayedEvents;
using Npgsql;

namespace Matrix.Background.Delayed;

/// <summary>
/// Sends delayed events when their time has come. Every instance looks once a second; each event is claimed by one of them, so there is no lease to wait for
/// when an instance goes. What was due while nobody ran is sent first, in its order.
/// </summary>
internal sealed partial class DelayedEventSender(DelayedEventStore store, DelayedEventDelivery delivery, TimeProvider clock, ILogger<DelayedEventSender> log)
    : Microsoft.Extensions.Hosting.BackgroundService
{
    private const int AtOnce = 50;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await SendDueAsync(stoppingToken) == AtOnce) { }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (NpgsqlException e)
            {
                LogSetBack(e.Message);
            }
            catch (Exception e)
            {
                LogFailed(e);
            }
            await Task.Delay(Interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>How many were due, at most <see cref="AtOnce"/>.</summary>
    internal async Task<int> SendDueAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var due = await store.ClaimDueAsync(now, now + (long)DelayedEventDelivery.ClaimLife.TotalMilliseconds, AtOnce, ct);
        foreach (var e in due)
            if (await delivery.DeliverAsync(e, staysScheduled: false, ct) is { } error) LogRefused(e.DelayId, e.UserId, e.RoomId, error.Message);
        return due.Count;
    }

    [LoggerMessage(10, LogLevel.Warning, "Delayed events wait: {Reason}")]
    private partial void LogSetBack(string reason);

    [LoggerMessage(11, LogLevel.Error, "A delayed event could not be sent; its claim is taken again when it is over")]
    private partial void LogFailed(Exception e);

    [LoggerMessage(12, LogLevel.Information, "Delayed event {DelayId} of {UserId} was refused by room {RoomId}: {Reason}")]
    private partial void LogRefused(string delayId, string userId, string roomId, string reason);
}

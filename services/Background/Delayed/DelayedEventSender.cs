using Matrix.Replication;
using Matrix.Rooms.Delayed;
using Matrix.Storage.DelayedEvents;
using Matrix.Web;

namespace Matrix.Background.Delayed;

/// <summary>
/// Sends delayed events when their time has come. Every instance sleeps until the next one is due, and is woken when an earlier one is scheduled; each event
/// is claimed by one of them, so there is no lease to wait for when an instance goes. What was due while nobody ran is sent first, in its order.
/// </summary>
internal sealed partial class DelayedEventSender(DelayedEventStore store, DelayedEventDelivery delivery, TimeProvider clock, ILogger<DelayedEventSender> log)
    : Microsoft.Extensions.Hosting.BackgroundService, IStreamConsumer
{
    private const int AtOnce = 50;
    /// <summary>After a fault, and while another instance has what is due in its hands.</summary>
    private static readonly TimeSpan ShortRest = TimeSpan.FromSeconds(1);
    /// <summary>However late the next one is: claims end, and who schedules one may die before he tells it.</summary>
    internal static readonly TimeSpan LongRest = TimeSpan.FromSeconds(30);
    private readonly Rounds rounds = new("Sending of delayed events", clock, log);

    public IReadOnlyCollection<StreamDefinition> Streams { get; } = [Replication.Streams.Caches];

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        if (rows.Any(r => r.Key == DelayedEventStore.NextKey)) rounds.Wake();
        return ValueTask.CompletedTask;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => rounds.RunAsync(RoundAsync, ShortRest, stoppingToken);

    private async Task<TimeSpan> RoundAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var next = await store.NextAsync(now, ct) ?? long.MaxValue;
        if (next > now) return next - now < LongRest.TotalMilliseconds ? TimeSpan.FromMilliseconds(next - now) : LongRest;
        return await SendDueAsync(ct) ? TimeSpan.Zero : ShortRest;
    }

    /// <summary>True: go on. False: nothing was due, or what was stays scheduled for now.</summary>
    internal async Task<bool> SendDueAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var due = await store.ClaimDueAsync(now, now + (long)DelayedEventDelivery.ClaimLife.TotalMilliseconds, AtOnce, ct);
        var goesOn = due.Count > 0;
        foreach (var e in due)
        {
            if (await delivery.DeliverAsync(e, byHand: false, ct) is not { } error) continue;
            LogRefused(e.DelayId, e.UserId, e.RoomId, error.Message);
            goesOn &= error.Status < 500;
        }
        return goesOn;
    }

    [LoggerMessage(12, LogLevel.Information, "Delayed event {DelayId} of {UserId} was refused by room {RoomId}: {Reason}")]
    private partial void LogRefused(string delayId, string userId, string roomId, string reason);
}

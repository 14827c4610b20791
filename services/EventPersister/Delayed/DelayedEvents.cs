using System.Security.Cryptography;
using Matrix.EventPersister.Sending;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms.Delayed;
using Matrix.ServiceDefaults;
using Matrix.Storage.DelayedEvents;
using Matrix.Storage.Streams;
using Matrix.Web.Json;

namespace Matrix.EventPersister.Delayed;

/// <summary>Schedules events and changes what is scheduled. Power in the room counts when the event is sent, not here.</summary>
internal sealed class DelayedEvents(DelayedEventStore store, DelayedEventDelivery delivery, IStreamPublisher publisher, HomeserverConfig config, TimeProvider clock)
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private long NowMs => clock.GetUtcNow().ToUnixTimeMilliseconds();

    public async Task<IResult> ScheduleAsync(SendRequest request, long delayMs, JsonBody content, CancellationToken ct)
    {
        if (delayMs <= 0) throw MatrixError.InvalidParam("The delay must be a positive number of milliseconds").AsException();
        if (config.MaxEventDelay == TimeSpan.Zero) throw Refusal("Events cannot be delayed on this server", "M_MAX_DELAY_UNSUPPORTED").AsException();
        if (delayMs > config.MaxEventDelay.TotalMilliseconds)
            throw Refusal("The requested delay is too long", "M_MAX_DELAY_EXCEEDED").With("org.matrix.msc4140.max_delay", $"{(long)config.MaxEventDelay.TotalMilliseconds}").AsException();
        // Memberships follow more than the room's rules: invitations elsewhere, restricted joins, blocked rooms.
        if (request.Type is EventTypes.Create or EventTypes.Member && request.StateKey is not null)
            throw MatrixError.Forbidden("Such an event cannot be delayed").AsException();
        var (count, next) = await store.LoadAsync(request.Requester.UserId.Value, ct);
        if (count >= HomeserverConfig.MaxScheduledEvents)
            throw (MatrixError.LimitExceeded(Math.Max(1, (next ?? 0) - NowMs)) with { Message = "The maximum number of delayed events has been reached." }).AsException();

        var e = new DelayedEvent(
            RandomNumberGenerator.GetString(Letters, 24), request.Requester.UserId.Value, request.RoomId, request.Type, request.StateKey,
            Sender.Content(content), Sender.Timestamp(request), delayMs, NowMs);
        // Without a transaction each request is one of its own.
        var (id, told) = await store.AddAsync(e, request.Requester.DeviceId, request.TxnId ?? e.DelayId, ct);
        await publisher.PublishAllAsync(told);
        return MatrixResults.Object(w => w.WriteString("delay_id"u8, id));
    }

    private static MatrixError Refusal(string message, string unstableCode) => MatrixError.Forbidden(message).With("org.matrix.msc4140.errcode", $"\"{unstableCode}\"");

    public async Task ActAsync(string delayId, string action, string userId, CancellationToken ct)
    {
        var (outcome, repeated) = action switch
        {
            "cancel" => (await store.CancelAsync(delayId, userId, NowMs, ct), DelayedChange.Done),
            "restart" => (await store.RestartAsync(delayId, userId, NowMs, ct), DelayedChange.Done),
            "send" => (await SendAsync(delayId, userId, ct), DelayedChange.Sent),
            _ => throw MatrixError.InvalidParam("'action' must be 'send', 'cancel' or 'restart'").AsException(),
        };
        if (outcome == DelayedChange.Done || outcome == repeated) return;
        throw outcome == DelayedChange.Unknown ? NotFound()
            : MatrixError.Unknown(409, outcome == DelayedChange.Sent ? "The delayed event has been sent" : "The delayed event has been cancelled").AsException();
    }

    private async Task<DelayedChange> SendAsync(string delayId, string userId, CancellationToken ct)
    {
        var now = NowMs;
        var (claimed, reason) = await store.ClaimAsync(delayId, userId, now, now + (long)DelayedEventDelivery.ClaimLife.TotalMilliseconds, ct);
        if (claimed is null) return reason;
        return await delivery.DeliverAsync(claimed, byHand: true, CancellationToken.None) is { } error ? throw error.AsException() : DelayedChange.Done;
    }

    public static MatrixException NotFound() => MatrixError.NotFound("Delayed event not found").AsException();
}

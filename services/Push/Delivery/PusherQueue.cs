using Matrix.Storage.Push;

namespace Matrix.Push.Delivery;

/// <summary>What the queues of a process share.</summary>
internal sealed record DeliveryContext(
    PushGatewayClient Gateway, DeliveryLimit Limit, PushMetrics Metrics, TimeProvider Clock, Random Chance, ILogger Log);

/// <summary>How many requests to gateways are under way at once.</summary>
internal sealed class DeliveryLimit : IDisposable
{
    public SemaphoreSlim Slots { get; } = new(64, 64);
    public void Dispose() => Slots.Dispose();
}

/// <summary>
/// Notifications of one pusher, in order, one at a time. Bounded: when a gateway is away for long the oldest are dropped. Runs only while there
/// is something to deliver.
/// </summary>
internal sealed partial class PusherQueue(PusherAddress address, PusherState saved, DeliveryContext context, Func<string, int> unread, Action<PusherQueue> changed)
{
    private const int MaxPending = 500;
    private readonly Lock gate = new();
    private readonly LinkedList<Notification> pending = new();
    private readonly CancellationTokenSource stopping = new();
    private readonly CancellationTokenSource abandoned = new();
    private Task running = Task.CompletedTask;
    private bool countsWanted;
    private bool isRunning;
    private long lastPos = saved.LastPos;
    private long savedPos = saved.LastPos;
    private long? failingSinceMs = saved.FailingSinceMs;
    private bool isUnsaved;

    public PusherAddress Address => address;
    /// <summary>The gateway rejected this push key: the pusher has to go.</summary>
    public bool IsRejected { get; private set; }
    /// <summary>Everything up to here was delivered, or needed no delivery.</summary>
    public long LastPos { get { lock (gate) return lastPos; } }

    /// <summary>False for what was pushed before this process took the pusher over.</summary>
    public bool Wants(long position) { lock (gate) return position > lastPos && (pending.Last is null || pending.Last.Value.Position < position); }

    public void Add(Notification notification)
    {
        lock (gate)
        {
            if (pending.Count >= MaxPending)
            {
                pending.RemoveFirst();
                context.Metrics.Dropped();
            }
            pending.AddLast(notification);
            StartLocked();
        }
    }

    /// <summary>Something was read elsewhere: the badge changes, now or with the next notification.</summary>
    public void AddCounts()
    {
        lock (gate)
        {
            countsWanted = true;
            StartLocked();
        }
    }

    /// <summary>All events up to here were evaluated.</summary>
    public void Advance(long position)
    {
        lock (gate) if (pending.Count == 0 && position > lastPos) lastPos = position;
    }

    /// <summary>What is to be saved; null when nothing is new. A position that moved without a delivery is new only with <paramref name="evenIdle"/>.</summary>
    public PusherState? Unsaved(bool evenIdle)
    {
        lock (gate)
        {
            if (!isUnsaved && !(evenIdle && lastPos != savedPos)) return null;
            return new(address.UserId, address.AppId, address.Pushkey, [], 0, lastPos, failingSinceMs);
        }
    }

    public void Saved(PusherState state)
    {
        lock (gate)
        {
            savedPos = state.LastPos;
            isUnsaved &= state.LastPos != lastPos || state.FailingSinceMs != failingSinceMs;
        }
    }

    /// <summary>Ends at once; a notification that is under way may have arrived, and nobody notes it.</summary>
    public void Stop()
    {
        stopping.Cancel();
        abandoned.Cancel();
    }

    /// <summary>Begins no more deliveries and waits for the one under way, so that whoever goes on does not repeat it.</summary>
    public async Task FinishAsync(TimeSpan atMost)
    {
        await stopping.CancelAsync();
        Task last;
        lock (gate) last = running;
        try
        {
            await last.WaitAsync(atMost, context.Clock, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            await abandoned.CancelAsync();
        }
    }

    private void StartLocked()
    {
        if (isRunning || stopping.IsCancellationRequested) return;
        isRunning = true;
        running = Task.Run(RunAsync, CancellationToken.None);
    }

    private async Task RunAsync()
    {
        var failures = 0;
        while (true)
        {
            Notification? next;
            lock (gate)
            {
                next = pending.First?.Value;
                if ((next is null && !countsWanted) || stopping.IsCancellationRequested || IsRejected)
                {
                    isRunning = false;
                    return;
                }
                countsWanted = false;
            }
            try
            {
                var answer = await DeliverAsync(next);
                failures = answer.Fault is null ? 0 : failures + 1;
                Note(next, answer);
                if (answer.Fault is not null) await Task.Delay(BackOff.Delay(failures, context.Chance.NextDouble()), context.Clock, stopping.Token);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                lock (gate) isRunning = false;
                return;
            }
        }
    }

    private async Task<PushAnswer> DeliverAsync(Notification? notification)
    {
        var count = unread(address.UserId);
        var json = notification is null ? NotificationJson.WriteCounts(address, count) : NotificationJson.Write(address, notification, count);
        await context.Limit.Slots.WaitAsync(stopping.Token);
        try
        {
            return await context.Gateway.NotifyAsync(address.Gateway, json, abandoned.Token);
        }
        finally
        {
            context.Limit.Slots.Release();
        }
    }

    private void Note(Notification? notification, PushAnswer answer)
    {
        var now = context.Clock.GetUtcNow().ToUnixTimeMilliseconds();
        lock (gate)
        {
            var isStale = notification is not null && now - notification.ReceivedMs > BackOff.GiveUpAfter.TotalMilliseconds;
            if (answer.Fault is null || isStale)
            {
                // It may have been dropped for room while it was under way.
                if (notification is not null && ReferenceEquals(pending.First?.Value, notification)) pending.RemoveFirst();
                if (notification is not null) lastPos = Math.Max(lastPos, notification.Position);
                isUnsaved = true;
            }
            else if (notification is null)
            {
                countsWanted = true;
            }
            long? failing = answer.Fault is null ? null : failingSinceMs ?? now;
            isUnsaved |= failing != failingSinceMs;
            failingSinceMs = failing;
            IsRejected |= answer.Rejected.Contains(address.Pushkey, StringComparer.Ordinal);
        }
        if (answer.Fault is null) context.Metrics.Delivered();
        else
        {
            context.Metrics.Failed();
            LogNotDelivered(context.Log, address.AppId, address.Gateway.Host, answer.Fault);
        }
        changed(this);
    }

    [LoggerMessage(1, LogLevel.Information, "A notification of {App} was not delivered to {Host} and will be tried again: {Reason}")]
    private static partial void LogNotDelivered(ILogger log, string app, string host, string reason);
}

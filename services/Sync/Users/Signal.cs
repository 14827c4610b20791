using System.Diagnostics;

namespace Matrix.Sync.Users;

/// <summary>
/// A version and those who wait for the next one. Waking is coalesced: whoever waits is woken once, however many changes came; who does not wait
/// finds the newer version when he looks again. Nothing is queued for anybody.
/// </summary>
internal sealed class Signal
{
    private readonly Lock gate = new();
    private Waiter? waiting;
    private long version;
    private ActivityContext trace;

    /// <summary>Read it before looking at the data; wait with it afterwards.</summary>
    public long Version => Volatile.Read(ref version);

    /// <summary>What the last change was part of; default when nobody traces.</summary>
    public ActivityContext Trace
    {
        get
        {
            lock (gate) return trace;
        }
    }

    public bool HasWaiters => Volatile.Read(ref waiting) is not null;

    public void Wake()
    {
        var cause = Activity.Current is { Recorded: true } current ? current.Context : default;
        Waiter? woken;
        lock (gate)
        {
            version++;
            trace = cause;
            woken = waiting;
            waiting = null;
        }
        while (woken is not null)
        {
            var next = woken.Next;
            woken.Complete(true);
            woken = next;
        }
    }

    /// <summary>True when the version has passed <paramref name="seen"/>, false when the time was over first. Throws when cancelled.</summary>
    public async ValueTask<bool> WaitAsync(long seen, TimeSpan timeout, TimeProvider clock, CancellationToken ct)
    {
        if (timeout <= TimeSpan.Zero) return Version != seen;
        var waiter = new Waiter();
        lock (gate)
        {
            if (version != seen) return true;
            waiter.Next = waiting;
            waiting = waiter;
        }
        await using var timer = clock.CreateTimer(static w => ((Waiter)w!).Complete(false), waiter, timeout, Timeout.InfiniteTimeSpan);
        await using var registration = ct.UnsafeRegister(static w => ((Waiter)w!).Complete(false), waiter);
        var woken = await waiter.Task;
        if (!woken) Remove(waiter);
        ct.ThrowIfCancellationRequested();
        return woken;
    }

    private void Remove(Waiter waiter)
    {
        lock (gate)
        {
            if (waiting == waiter) { waiting = waiter.Next; return; }
            for (var w = waiting; w is not null; w = w.Next)
            {
                if (w.Next != waiter) continue;
                w.Next = waiter.Next;
                return;
            }
        }
    }

    // Continuations run on the pool: a wake-up never runs an answer on the thread that applies a stream.
    private sealed class Waiter() : TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public Waiter? Next { get; set; }
        public void Complete(bool woken) => TrySetResult(woken);
    }
}

namespace Matrix.Primitives;

/// <summary>Wakes one loop. Waking twice before it looks is waking once: a slow loop gathers no queue.</summary>
public sealed class WakeUp
{
    private readonly Lock gate = new();
    private TaskCompletionSource? waiting;
    private bool isWoken;

    public void Wake()
    {
        lock (gate)
        {
            isWoken = true;
            waiting?.TrySetResult();
        }
    }

    /// <summary>Until woken, or the time is over.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken ct)
    {
        var wait = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            if (isWoken) wait.SetResult();
            waiting = wait;
        }
        // Lighter than a delay that is cancelled: this happens for each event in each service that follows.
        await using (clock.CreateTimer(static w => ((TaskCompletionSource)w!).TrySetResult(), wait, atMost, Timeout.InfiniteTimeSpan))
        await using (ct.UnsafeRegister(static w => ((TaskCompletionSource)w!).TrySetResult(), wait))
            await wait.Task;
        lock (gate)
        {
            waiting = null;
            isWoken = false;
        }
        ct.ThrowIfCancellationRequested();
    }
}

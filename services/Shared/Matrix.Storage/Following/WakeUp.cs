namespace Matrix.Storage.Following;

/// <summary>Wakes one loop. Waking twice before it looks is waking once: a slow loop gathers no queue.</summary>
public sealed class WakeUp : IDisposable
{
    private readonly Lock gate = new();
    private readonly SemaphoreSlim signal = new(0, 1);

    public void Wake()
    {
        lock (gate) if (signal.CurrentCount == 0) signal.Release();
    }

    /// <summary>Until woken, or the time is over.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken ct)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var woken = signal.WaitAsync(enough.Token);
        var rested = Task.Delay(atMost, clock, enough.Token);
        await Task.WhenAny(woken, rested);
        await enough.CancelAsync();
        await Task.WhenAll(woken, rested).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        ct.ThrowIfCancellationRequested();
    }

    public void Dispose() => signal.Dispose();
}

namespace Matrix.EventPersister.Actors;

/// <summary>
/// While another process writes to the same room, the two take turns: whoever has written waits a moment for the other, who has lost the race and builds on
/// what was written. If both went on at once, half of what both build would be thrown away. Without a rival it costs nothing.
/// </summary>
internal sealed class RivalTurns(TimeProvider clock)
{
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(8);
    /// <summary>Who was not heard of for that long is no rival any more.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();
    private long seen;
    private bool mustWait;
    private TaskCompletionSource? waiting;

    /// <summary>Somebody else has moved the room.</summary>
    public void OtherMoved()
    {
        lock (gate)
        {
            seen = clock.GetTimestamp();
            mustWait = false;
            waiting?.TrySetResult();
        }
    }

    /// <summary>This process has moved it.</summary>
    public void Wrote()
    {
        if (Volatile.Read(ref seen) == 0) return;
        lock (gate) mustWait = clock.GetElapsedTime(seen) < Memory;
    }

    /// <summary>Before the next turn: until the other has had his, or does not seem to want one.</summary>
    public ValueTask YieldAsync()
    {
        if (Volatile.Read(ref seen) == 0) return ValueTask.CompletedTask;
        lock (gate)
        {
            if (!mustWait) return ValueTask.CompletedTask;
            mustWait = false;
            waiting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return new(WaitAsync(waiting.Task));
        }
    }

    private async Task WaitAsync(Task moved) => await Task.WhenAny(moved, Task.Delay(Patience, clock));
}

namespace Matrix.Sync.Engine;

/// <summary>
/// One load per key at a time: who asks while it runs waits for the same one. The load does not belong to a request: it goes on when that is gone.
/// </summary>
internal sealed class SingleFlight
{
    private readonly Dictionary<string, Task> running = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    /// <summary>Loads those keys that nobody loads yet in one call, and waits until all are loaded.</summary>
    public async Task RunAsync(IReadOnlyCollection<string> keys, Func<List<string>, Task> load, CancellationToken ct)
    {
        List<string>? mine = null;
        var waitFor = new List<Task>();
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
        {
            foreach (var key in keys)
            {
                if (running.TryGetValue(key, out var other)) { waitFor.Add(other); continue; }
                running[key] = done.Task;
                (mine ??= []).Add(key);
            }
        }
        if (mine is not null)
        {
            waitFor.Add(done.Task);
            _ = LoadAsync(mine, load, done);
        }
        await Task.WhenAll(waitFor).WaitAsync(ct);
    }

    private async Task LoadAsync(List<string> keys, Func<List<string>, Task> load, TaskCompletionSource done)
    {
        Exception? fault = null;
        try
        {
            await load(keys);
        }
        catch (Exception e)
        {
            fault = e;      // belongs to everybody who waits
        }
        lock (gate) foreach (var key in keys) running.Remove(key);
        if (fault is null) done.SetResult();
        else done.SetException(fault);
        _ = done.Task.Exception;    // observed, even when everybody has gone
    }
}

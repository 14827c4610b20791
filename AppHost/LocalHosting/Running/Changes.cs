namespace Aspire.Hosting.Running;

/// <summary>A number that grows, and a way to wait for it: however slow a reader is, it never queues more than one wake-up.</summary>
internal sealed class Changes
{
    private TaskCompletionSource _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _version;

    public long Version => Interlocked.Read(ref _version);

    public void Signal()
    {
        Interlocked.Increment(ref _version);
        Interlocked.Exchange(ref _next, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
    }

    /// <summary>Completes at once when there was a change after <paramref name="version"/>, otherwise at the next one.</summary>
    public Task WaitAsync(long version, CancellationToken ct)
    {
        var next = Volatile.Read(ref _next).Task;
        return Version != version ? Task.CompletedTask : next.WaitAsync(ct);
    }
}

using Matrix.Replication;

namespace Matrix.Gateway.Tests.Proxy;

/// <summary>A directory whose list the test writes.</summary>
internal sealed class FakeDirectory : IInstanceDirectory
{
    private readonly Lock gate = new();
    private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyList<ServiceInstance> All { get; private set; } = [];
    public long Version { get; private set; }

    public IReadOnlyList<ServiceInstance> Of(string groupOrService) => [.. All.Where(i => i.Group == groupOrService || i.Service == groupOrService)];

    public void Set(params ServiceInstance[] instances)
    {
        lock (gate)
        {
            All = [.. instances.OrderBy(i => i.Name, StringComparer.Ordinal)];
            Version++;
            changed.TrySetResult();
            changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public Task WaitForChangeAsync(long version, CancellationToken ct)
    {
        lock (gate) return Version > version ? Task.CompletedTask : changed.Task.WaitAsync(ct);
    }
}

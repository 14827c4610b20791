using System.Collections.Frozen;
using Matrix.Replication;

namespace Matrix.Storage.Instances;

/// <summary>Who runs, at one moment. Never changes; the directory swaps whole lists.</summary>
internal sealed class InstanceList
{
    private readonly FrozenDictionary<string, IReadOnlyList<ServiceInstance>> byGroup;
    private readonly FrozenDictionary<string, IReadOnlyList<ServiceInstance>> byService;

    public InstanceList(IReadOnlyList<ServiceInstance> all, long version)
    {
        All = all;
        Version = version;
        byGroup = Index(i => i.Group);
        byService = Index(i => i.Service);

        FrozenDictionary<string, IReadOnlyList<ServiceInstance>> Index(Func<ServiceInstance, string> key) =>
            all.GroupBy(key).ToFrozenDictionary(g => g.Key, g => (IReadOnlyList<ServiceInstance>)g.ToArray());
    }

    public IReadOnlyList<ServiceInstance> All { get; }
    public long Version { get; }
    public TaskCompletionSource Changed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>A group of that name; without one, every instance of the service.</summary>
    public IReadOnlyList<ServiceInstance> Of(string groupOrService) =>
        byGroup.TryGetValue(groupOrService, out var group) ? group
        : byService.TryGetValue(groupOrService, out var service) ? service
        : [];

    /// <summary>
    /// The list after a read: whoever has a fresh heartbeat. After a pause of the database nobody has, so those who were there stay for
    /// <paramref name="grace"/> unless they said good-bye.
    /// </summary>
    public IReadOnlyList<ServiceInstance> After(IReadOnlyList<(ServiceInstance Instance, bool IsAlive)> read, bool grace)
    {
        var before = grace ? All.Select(i => i.Name).ToHashSet(StringComparer.Ordinal) : [];
        return read.Where(r => r.IsAlive || before.Contains(r.Instance.Name)).Select(r => r.Instance)
            .OrderBy(i => i.Name, StringComparer.Ordinal).ToArray();
    }
}

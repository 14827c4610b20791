using Matrix.Gateway.Routing;
using Matrix.Replication;

namespace Matrix.Gateway.Fleet;

/// <summary>Holds the current <see cref="FleetSnapshot"/> and swaps it as a whole when an instance comes, goes, or changes its health.</summary>
internal sealed class FleetState(RouteGroups groups)
{
    private readonly Lock gate = new();
    private Dictionary<ServiceInstance, Backend> backends = [];
    private volatile FleetSnapshot current = new([], groups);

    public FleetSnapshot Current => current;

    public IReadOnlyCollection<Backend> Backends { get { lock (gate) return backends.Values; } }

    /// <summary>Takes over the directory's list. An instance that started anew is another instance.</summary>
    public (IReadOnlyList<Backend> Added, IReadOnlyList<Backend> Removed) SetInstances(IReadOnlyList<ServiceInstance> instances)
    {
        lock (gate)
        {
            var next = new Dictionary<ServiceInstance, Backend>();
            var added = new List<Backend>();
            foreach (var instance in instances.Where(i => i.Service != RouteClass.OwnAnswer.Service))
            {
                if (next.ContainsKey(instance)) continue;
                if (!backends.Remove(instance, out var backend)) added.Add(backend = new(instance));
                next.Add(instance, backend);
            }
            Backend[] removed = [.. backends.Values];
            backends = next;
            if (added.Count > 0 || removed.Length > 0) Swap();
            return (added, removed);
        }
    }

    public void SetHealth(Backend backend, BackendHealth health)
    {
        lock (gate)
        {
            if (backend.Health == health) return;
            backend.Health = health;
            if (backends.ContainsKey(backend.Instance)) Swap();
        }
    }

    /// <summary>A request could not reach it: no more traffic until a connection succeeds.</summary>
    public void ReportUnreachable(Backend backend)
    {
        SetHealth(backend, BackendHealth.Down);
        backend.Poke();
    }

    private void Swap()
    {
        var old = current;
        current = new(backends.Values, groups);
        old.Retire();
    }
}

using Matrix.Gateway.Routing;

namespace Matrix.Gateway.Fleet;

/// <summary>Who answers which route class, at one moment.</summary>
internal sealed class FleetSnapshot
{
    private readonly Pool[] pools;
    private readonly TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public FleetSnapshot(IReadOnlyCollection<Backend> backends, RouteGroups groups)
    {
        var byGroup = new Dictionary<string, Pool>(StringComparer.Ordinal);
        pools = [.. RouteClass.All.Select(c =>
        {
            var pool = Of(groups.Of(c));
            // A group of its own is a matter of speed: without living members the service's other instances answer just as well.
            return pool.Members.Length == 0 ? Of(c.Service) : pool;
        })];

        Pool Of(string group)
        {
            if (!byGroup.TryGetValue(group, out var pool)) byGroup[group] = pool = new(group, Usable(group, backends));
            return pool;
        }
    }

    /// <summary>Completes when a newer snapshot has taken this one's place.</summary>
    public Task Changed => changed.Task;

    public Pool PoolOf(RouteClass routeClass) => pools[routeClass.Index];

    public void Retire() => changed.TrySetResult();

    /// <param name="group">A group, a service, or an instance; several stand with commas between them, as in stream_writers.</param>
    private static Backend[] Usable(string group, IReadOnlyCollection<Backend> backends)
    {
        var names = group.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (var health in (BackendHealth[])[BackendHealth.Up, BackendHealth.Unready])
        {
            Backend[] members = [.. names.SelectMany(name => Called(name, backends.Where(b => b.Health == health))).Distinct().OrderBy(b => b.Name, StringComparer.Ordinal)];
            if (members.Length > 0) return members;
        }
        return [];
    }

    private static IEnumerable<Backend> Called(string name, IEnumerable<Backend> backends)
    {
        var alive = backends.ToList();
        foreach (var named in (Func<Backend, string>[])[b => b.Instance.Group, b => b.Instance.Service, b => b.Name])
        {
            var members = alive.FindAll(b => named(b) == name);
            if (members.Count > 0) return members;
        }
        return [];
    }
}

using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;

namespace Matrix.Web.Following;

/// <summary>
/// Which keys (users, destinations, application services) this instance serves: rendezvous hashing over the instances of a service that are alive.
/// Instances may disagree for a moment while the list changes; what must not happen twice is guarded by leases or saved positions.
/// </summary>
public sealed class Shard(string service, InstanceIdentity me, IInstanceDirectory instances)
{
    /// <summary>A process that hosts everything shares with nobody.</summary>
    private readonly bool alone = me.Service != service;
    private Members members = new(-1, [], -1);

    private sealed record Members(long Version, string[] Names, int Self);

    /// <summary>Changes when the answers of <see cref="Owns"/> may have changed.</summary>
    public long Version => alone ? 0 : instances.Version;

    public bool Owns(string key)
    {
        if (alone) return true;
        var current = Current();
        return current.Self >= 0 && Rendezvous.Pick(key, current.Names) == current.Self;
    }

    private Members Current()
    {
        var version = instances.Version;
        var known = Volatile.Read(ref members);
        if (known.Version == version) return known;
        var names = instances.Of(service).Select(i => i.Name).ToArray();
        var fresh = new Members(version, names, Array.IndexOf(names, me.Name));
        Volatile.Write(ref members, fresh);
        return fresh;
    }
}

using Matrix.Gateway.Fleet;
using Matrix.Gateway.Routing;
using Matrix.Primitives;

namespace Matrix.Gateway.Proxy;

/// <summary>Chooses among the instances of a pool.</summary>
internal interface IAffinityPolicy
{
    /// <summary>What metrics and configuration call it.</summary>
    string Name { get; }

    AffinityKind Kind { get; }

    /// <param name="key">Null when the request has none.</param>
    /// <param name="tried">Instances that could not answer this request; null at first.</param>
    /// <returns>Null when nobody is left.</returns>
    Backend? Pick(Pool pool, string? key, IReadOnlyCollection<Backend>? tried);
}

internal sealed class RoundRobinPolicy : IAffinityPolicy
{
    public string Name => "RoundRobin";
    public AffinityKind Kind => AffinityKind.None;

    public Backend? Pick(Pool pool, string? key, IReadOnlyCollection<Backend>? tried) => Next(pool, tried);

    internal static Backend? Next(Pool pool, IReadOnlyCollection<Backend>? tried)
    {
        if (pool.Members.Length == 0) return null;
        var first = pool.NextTurn();
        for (var i = 0; i < pool.Members.Length; i++)
        {
            var member = pool.Members[(first + i) % pool.Members.Length];
            if (tried is null || !tried.Contains(member)) return member;
        }
        return null;
    }
}

/// <summary>Highest rendezvous score: an instance that comes or goes moves only its own share of the keys.</summary>
internal sealed class RendezvousPolicy(string name, AffinityKind kind) : IAffinityPolicy
{
    public string Name => name;
    public AffinityKind Kind => kind;

    public Backend? Pick(Pool pool, string? key, IReadOnlyCollection<Backend>? tried)
    {
        if (key is null || pool.Members.Length < 2) return RoundRobinPolicy.Next(pool, tried);
        if (tried is null) return pool.Members[Rendezvous.Pick(key, pool.Names)];
        foreach (var i in Rendezvous.Rank(key, pool.Names))
            if (!tried.Contains(pool.Members[i])) return pool.Members[i];
        return null;
    }
}

internal static class AffinityPolicies
{
    private static readonly IAffinityPolicy[] ByKind = [.. new IAffinityPolicy[]
    {
        new RoundRobinPolicy(),
        new RendezvousPolicy("UserAffinity", AffinityKind.User),
        new RendezvousPolicy("RoomAffinity", AffinityKind.Room),
        new RendezvousPolicy("OriginAffinity", AffinityKind.Origin),
        new RendezvousPolicy("AddressAffinity", AffinityKind.Address),
    }.OrderBy(p => p.Kind)];

    public static IReadOnlyList<IAffinityPolicy> All => ByKind;

    public static IAffinityPolicy Of(AffinityKind kind) => ByKind[(int)kind];
}

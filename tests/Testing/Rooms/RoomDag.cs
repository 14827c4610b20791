using System.Collections.Immutable;
using Matrix.Events;

namespace Matrix.Testing;

/// <summary>All events of a room under test, whatever branch they are on, and the state after each.</summary>
public sealed class RoomDag(RoomVersion version)
{
    private readonly Dictionary<string, Pdu> _events = [];
    private readonly Dictionary<string, ImmutableDictionary<StateKey, string>> _after = [];
    private readonly List<Pdu> _order = [];
    private static long _rooms;

    // Each room begins at a time of its own: in version 12 equal create events would be the same room.
    private long _clock = 1_700_000_000_000 + Interlocked.Increment(ref _rooms) * 1_000_000;

    public RoomVersion Version { get; } = version;

    /// <summary>In the order in which they were made: a valid topological order.</summary>
    public IReadOnlyList<Pdu> Events => _order;

    /// <summary>Null when the room has no such event.</summary>
    public Pdu? Find(string eventId) => _events.GetValueOrDefault(eventId);

    public ImmutableDictionary<StateKey, string> StateAfter(string eventId) => _after[eventId];

    /// <summary>Resolves the states after some events; the one state when there is one.</summary>
    public ImmutableDictionary<StateKey, string> StateAfter(IReadOnlyCollection<string> eventIds)
    {
        if (eventIds.Count == 0) return ImmutableDictionary<StateKey, string>.Empty;
        if (eventIds.Count == 1) return _after[eventIds.First()];
        return StateResolver.Resolve(Version, [.. eventIds.Select(id => _after[id])], Find, _ => false, RoomAuthContext.Instance)
            .ToImmutableDictionary();
    }

    internal long Tick() => _clock += 1000;

    internal void Add(Pdu e, ImmutableDictionary<StateKey, string> before, bool allowed)
    {
        if (!_events.TryAdd(e.EventId, e)) throw new InvalidOperationException($"{e} was made twice; change its time or content.");
        _order.Add(e);
        _after[e.EventId] = allowed && e.IsState ? before.SetItem(e.StatePair, e.EventId) : before;
    }
}

internal sealed class RoomAuthContext : IAuthContext
{
    public static RoomAuthContext Instance { get; } = new();
    public IEd25519 Ed25519 => Crypto.Ed25519.Default;
}

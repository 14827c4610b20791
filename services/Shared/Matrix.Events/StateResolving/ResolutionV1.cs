using System.Security.Cryptography;
using System.Text;

namespace Matrix.Events;

/// <summary>State resolution of room version 1. Spec: rooms/v1#state-resolution</summary>
/// <param name="sets">What each state has at the keys on which they differ.</param>
internal sealed class ResolutionV1(
    IReadOnlyList<IReadOnlyDictionary<StateKey, string>> sets, IAgreedState agreed, Func<string, Pdu?> fetch, IAuthContext? context) : IStateView
{
    private readonly Dictionary<StateKey, string> _resolved = [];
    private readonly Dictionary<string, Pdu?> _events = new(StringComparer.Ordinal);

    // Stands in front of _resolved while a list of events is walked.
    private Pdu? _previous;

    public Dictionary<StateKey, string> Resolve()
    {
        var conflicts = new List<(StateKey Key, List<Pdu> Events)>();
        foreach (var key in sets.SelectMany(s => s.Keys).Distinct())
        {
            var ids = new List<string>();
            foreach (var set in sets)
            {
                if (set.TryGetValue(key, out var id) && !ids.Contains(id)) ids.Add(id);
            }
            // A key that only some states have is no conflict here.
            if (ids.Count == 1)
            {
                _resolved.Add(key, ids[0]);
                continue;
            }
            var events = ids.Select(Event).OfType<Pdu>().ToList();
            if (events.Count > 0) conflicts.Add((key, events));
        }

        // Members of one pass do not see each other: the result would depend on their order.
        Pass(c => c.Type == EventTypes.PowerLevels, LastAllowed);
        Pass(c => c.Type == EventTypes.JoinRules, LastAllowed);
        Pass(c => c.Type == EventTypes.Member, LastAllowed);
        Pass(_ => true, BestAllowed);
        return _resolved;

        void Pass(Func<StateKey, bool> which, Func<List<Pdu>, Pdu> choose)
        {
            var chosen = new List<(StateKey Key, string Id)>();
            foreach (var (key, events) in conflicts)
            {
                if (which(key) && !_resolved.ContainsKey(key)) chosen.Add((key, choose(events).EventId));
            }
            foreach (var (key, id) in chosen) _resolved.Add(key, id);
        }
    }

    private Pdu? Event(string id) => _events.TryGetValue(id, out var known) ? known : _events[id] = fetch(id);

    /// <summary>Walks from the lowest depth up as long as each event is allowed after the one before it.</summary>
    private Pdu LastAllowed(List<Pdu> events)
    {
        var ascending = Ordered(events);
        ascending.Reverse();
        _previous = ascending[0];
        foreach (var e in ascending.Skip(1))
        {
            if (!AuthRules.Check(e, this, context).Allowed) break;
            _previous = e;
        }
        var last = _previous;
        _previous = null;
        return last;
    }

    private Pdu BestAllowed(List<Pdu> events)
    {
        var descending = Ordered(events);
        foreach (var e in descending)
        {
            if (AuthRules.Check(e, this, context).Allowed) return e;
        }
        // Synapse: when none is allowed, the one of the lowest depth stays.
        return descending[^1];
    }

    /// <summary>Highest depth first, then lowest SHA-1 of the event id.</summary>
    internal static List<Pdu> Ordered(List<Pdu> events) =>
        [.. events.OrderByDescending(e => e.Depth).ThenBy(e => Convert.ToHexString(Sha1(e.EventId)), StringComparer.Ordinal)];

    // The algorithm names SHA-1; nothing rests on its strength.
#pragma warning disable CA5350
    private static byte[] Sha1(string eventId) => SHA1.HashData(Encoding.UTF8.GetBytes(eventId));
#pragma warning restore CA5350

    public Pdu? Get(StateKey key)
    {
        if (_previous is not null && _previous.StatePair == key) return _previous;
        return (_resolved.TryGetValue(key, out var id) ? id : agreed.Get(key)) is { } found ? Event(found) : null;
    }
}

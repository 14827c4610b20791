using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Ingest;

namespace Matrix.EventPersister.Ingest;

/// <summary>Checked events on their way into a room, and what was fetched for them.</summary>
internal sealed class IngestBatch(string roomId, RoomVersion version, string origin, IngestMode mode)
{
    private readonly Dictionary<string, Pdu> pdus = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Pdu> outliers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, IReadOnlyList<IReadOnlyCollection<string>>> told = new(StringComparer.Ordinal);

    public string RoomId => roomId;
    public RoomVersion Version => version;
    public string Origin => origin;
    public IngestMode Mode => mode;
    public IReadOnlyCollection<Pdu> Pdus => pdus.Values;
    /// <summary>What the others rest on, to be taken in before them.</summary>
    public IReadOnlyCollection<Pdu> Outliers => outliers.Values;

    public bool Has(string eventId) => pdus.ContainsKey(eventId);
    public bool HasAny(string eventId) => pdus.ContainsKey(eventId) || outliers.ContainsKey(eventId);
    public void Add(Pdu pdu) => pdus.TryAdd(pdu.EventId, pdu);
    public void AddOutlier(Pdu pdu)
    {
        if (!HasAny(pdu.EventId)) outliers.Add(pdu.EventId, pdu);
    }

    /// <summary>States after parents of an event, as another server tells them.</summary>
    public void Tell(string? eventId, IReadOnlyList<IReadOnlyCollection<string>> statesBefore)
    {
        if (eventId is not null) told[eventId] = statesBefore;
    }

    public IReadOnlyList<IReadOnlyCollection<string>>? StatesBefore(string eventId) => told.GetValueOrDefault(eventId);

    /// <summary>The outliers, and those events of the batch on which they rest: these too are needed before they have their place.</summary>
    public IReadOnlyList<Pdu> OutliersInOrder()
    {
        var needed = new Dictionary<string, Pdu>(outliers, StringComparer.Ordinal);
        var todo = new Stack<Pdu>(outliers.Values);
        while (todo.TryPop(out var pdu))
            foreach (var id in pdu.AuthEvents)
                if (pdus.TryGetValue(id, out var auth) && needed.TryAdd(id, auth)) todo.Push(auth);
        return InOrder(needed.Values);
    }

    /// <summary>
    /// Those events with parents and auth events before children, otherwise by depth. Events that hang in a cycle, which only ids that servers give make
    /// possible, are left out.
    /// </summary>
    public IReadOnlyList<Pdu> InOrder(IReadOnlyCollection<Pdu> of)
    {
        if (of.Count <= 1) return [.. of.Where(static p => !p.PrevEvents.Contains(p.EventId) && !p.AuthEvents.Contains(p.EventId))];
        var byId = of.ToDictionary(p => p.EventId, StringComparer.Ordinal);
        var waits = new Dictionary<string, int>(StringComparer.Ordinal);
        var children = new Dictionary<string, List<Pdu>>(StringComparer.Ordinal);
        var free = new PriorityQueue<Pdu, (long Depth, string Id)>(Comparer<(long Depth, string Id)>.Create(
            static (a, b) => a.Depth != b.Depth ? a.Depth.CompareTo(b.Depth) : CanonicalNames.Compare(a.Id, b.Id)));
        foreach (var pdu in of)
        {
            var count = 0;
            foreach (var id in pdu.PrevEvents.Concat(pdu.AuthEvents).Distinct())
            {
                if (!byId.ContainsKey(id)) continue;
                count++;
                if (!children.TryGetValue(id, out var list)) children[id] = list = [];
                list.Add(pdu);
            }
            waits[pdu.EventId] = count;
            if (count == 0) free.Enqueue(pdu, (pdu.Depth, pdu.EventId));
        }
        var order = new List<Pdu>(of.Count);
        while (free.TryDequeue(out var pdu, out _))
        {
            order.Add(pdu);
            if (!children.TryGetValue(pdu.EventId, out var list)) continue;
            foreach (var child in list) if (--waits[child.EventId] == 0) free.Enqueue(child, (child.Depth, child.EventId));
        }
        return order;
    }
}

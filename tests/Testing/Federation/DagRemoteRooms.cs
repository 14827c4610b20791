using System.Collections.Concurrent;
using Matrix.Events;
using Matrix.FederationClient.Rooms;

namespace Matrix.Testing.Federation;

/// <summary>Other servers that know rooms under test, without HTTP: answers from the DAG, and notes what it was asked.</summary>
public sealed class DagRemoteRooms : IRemoteRooms
{
    private readonly ConcurrentDictionary<string, Room> rooms = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> asked = new();

    public void Know(Room room) => rooms[room.RoomId] = room;

    /// <summary>Events that are never given out.</summary>
    public ISet<string> Withheld { get; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>What was asked so far, of that room, as method and event ids.</summary>
    public IReadOnlyList<string> Asked(string roomId) => [.. asked.Where(a => a.StartsWith(roomId + " ", StringComparison.Ordinal)).Select(a => a[(roomId.Length + 1)..])];

    private Room? Of(string roomId, string question)
    {
        asked.Enqueue($"{roomId} {question}");
        return rooms.GetValueOrDefault(roomId);
    }

    public Task<IReadOnlyList<ReadOnlyMemory<byte>>?> GetMissingEventsAsync(
        string server, string roomId, IReadOnlyCollection<string> earliest, IReadOnlyCollection<string> latest, int limit, long minDepth, CancellationToken ct)
    {
        if (Of(roomId, "get_missing_events") is not { } room) return Null<IReadOnlyList<ReadOnlyMemory<byte>>>();
        var found = new List<Pdu>();
        var seen = new HashSet<string>(latest.Concat(earliest));
        var todo = new Queue<string>(latest.SelectMany(id => room.Dag.Find(id)?.PrevEvents ?? []));
        while (todo.TryDequeue(out var id) && found.Count < limit)
        {
            if (!seen.Add(id) || Withheld.Contains(id) || room.Dag.Find(id) is not { } e || e.Depth < minDepth) continue;
            found.Add(e);
            foreach (var prev in e.PrevEvents) todo.Enqueue(prev);
        }
        found.Reverse();
        return Json(found);
    }

    public Task<RemoteStateIds?> GetStateIdsAsync(string server, string roomId, string eventId, CancellationToken ct)
    {
        if (Of(roomId, $"state_ids {eventId}") is not { } room || room.Dag.Find(eventId) is not { } e) return Null<RemoteStateIds>();
        var state = room.Dag.StateAfter(e.PrevEvents).Values.ToList();
        return Task.FromResult<RemoteStateIds?>(new RemoteStateIds(state, [.. Chain(room, state).Select(a => a.EventId)]));
    }

    public Task<RemoteState?> GetStateAsync(string server, string roomId, string eventId, CancellationToken ct)
    {
        if (Of(roomId, $"state {eventId}") is not { } room || room.Dag.Find(eventId) is not { } e) return Null<RemoteState>();
        var state = room.Dag.StateAfter(e.PrevEvents).Values.ToList();
        return Task.FromResult<RemoteState?>(new RemoteState([.. state.Select(id => room.Dag.Find(id)!.Json)], [.. Chain(room, state).Select(a => a.Json)]));
    }

    public Task<ReadOnlyMemory<byte>?> GetEventAsync(string server, string eventId, CancellationToken ct)
    {
        foreach (var room in rooms.Values)
        {
            if (room.Dag.Find(eventId) is not { } e) continue;
            asked.Enqueue($"{room.RoomId} event {eventId}");
            return Task.FromResult<ReadOnlyMemory<byte>?>(Withheld.Contains(eventId) ? default(ReadOnlyMemory<byte>?) : e.Json);
        }
        return Task.FromResult<ReadOnlyMemory<byte>?>(null);
    }

    public Task<IReadOnlyList<ReadOnlyMemory<byte>>?> GetEventAuthAsync(string server, string roomId, string eventId, CancellationToken ct) =>
        Of(roomId, $"event_auth {eventId}") is { } room && room.Dag.Find(eventId) is { } e
            ? Json(Chain(room, e.AuthEvents).Concat(e.AuthEvents.Select(id => room.Dag.Find(id)!)).DistinctBy(a => a.EventId)) : Null<IReadOnlyList<ReadOnlyMemory<byte>>>();

    public Task<IReadOnlyList<ReadOnlyMemory<byte>>?> BackfillAsync(string server, string roomId, IReadOnlyCollection<string> from, int limit, CancellationToken ct)
    {
        if (Of(roomId, "backfill") is not { } room) return Null<IReadOnlyList<ReadOnlyMemory<byte>>>();
        var found = new List<Pdu>();
        var seen = new HashSet<string>();
        var todo = new Queue<string>(from);
        while (todo.TryDequeue(out var id) && found.Count < limit)
        {
            if (!seen.Add(id) || room.Dag.Find(id) is not { } e) continue;
            found.Add(e);
            foreach (var prev in e.PrevEvents) todo.Enqueue(prev);
        }
        return Json(found);
    }

    /// <summary>Answers to questions for hierarchies, by server and room.</summary>
    public ConcurrentDictionary<(string Server, string RoomId), string> Hierarchies { get; } = new();

    public Task<ReadOnlyMemory<byte>?> GetHierarchyAsync(string server, string roomId, bool suggestedOnly, CancellationToken ct)
    {
        asked.Enqueue($"{roomId} hierarchy {server}");
        return Task.FromResult(Hierarchies.TryGetValue((server, roomId), out var json)
            ? Primitives.CanonicalJson.ToArray(System.Text.Encoding.UTF8.GetBytes(json), out _, strict: false) : default(ReadOnlyMemory<byte>?));
    }

    /// <summary>Where aliases of other servers lead.</summary>
    public ConcurrentDictionary<string, RemoteAlias> Aliases { get; } = new(StringComparer.Ordinal);

    public Task<RemoteAlias?> FindAliasAsync(string server, string alias, CancellationToken ct)
    {
        asked.Enqueue($"{alias} directory {server}");
        return Task.FromResult(Aliases.GetValueOrDefault(alias));
    }

    public Task<RemoteEventTime?> FindByTimeAsync(string server, string roomId, long ts, bool backwards, CancellationToken ct)
    {
        var events = Of(roomId, $"timestamp_to_event {server}")?.Events.Where(e => !Withheld.Contains(e.EventId)) ?? [];
        var found = backwards ? events.Where(e => e.OriginServerTs <= ts).MaxBy(e => e.OriginServerTs) : events.Where(e => e.OriginServerTs >= ts).MinBy(e => e.OriginServerTs);
        return Task.FromResult(found is null ? null : new RemoteEventTime(found.EventId, found.OriginServerTs));
    }

    private static List<Pdu> Chain(Room room, IEnumerable<string> from)
    {
        var chain = new List<Pdu>();
        var seen = new HashSet<string>();
        var todo = new Queue<string>(from.SelectMany(id => room.Dag.Find(id)?.AuthEvents ?? []));
        while (todo.TryDequeue(out var id))
        {
            if (!seen.Add(id) || room.Dag.Find(id) is not { } e) continue;
            chain.Add(e);
            foreach (var auth in e.AuthEvents) todo.Enqueue(auth);
        }
        return chain;
    }

    private static Task<IReadOnlyList<ReadOnlyMemory<byte>>?> Json(IEnumerable<Pdu> events) =>
        Task.FromResult<IReadOnlyList<ReadOnlyMemory<byte>>?>([.. events.Select(e => e.Json)]);

    private static Task<T?> Null<T>() where T : class => Task.FromResult<T?>(null);
}

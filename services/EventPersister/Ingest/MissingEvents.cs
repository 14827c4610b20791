using Matrix.Events;
using Matrix.FederationClient.Pdus;
using Matrix.FederationClient.Rooms;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Ingest;

/// <summary>
/// Fetches what events rest on and is not here, with limits: first the events between, then, where a gap remains, the state before it. What cannot be had
/// stays missing, and the events that need it are dropped by the room.
/// </summary>
internal sealed partial class MissingEvents(
    EventGraphReader graph, RoomLoader loader, IRemoteRooms remote, PduChecker checker, ILogger<MissingEvents> log)
{
    /// <summary>Synapse: events between that are asked for at most.</summary>
    private const int MaxBetween = 10;
    /// <summary>Parents of one request for which a state is fetched.</summary>
    private const int MaxStates = 20;
    /// <summary>More missing events of a state than this are asked for as one answer.</summary>
    private const int MaxSingle = 20;
    private const int MaxStateEvents = 200_000;

    public async Task CompleteAsync(RoomRecord room, IngestBatch batch, CancellationToken ct)
    {
        var known = await KnownAsync(batch.Pdus.SelectMany(p => p.PrevEvents.Append(p.EventId)), ct);
        // What is here as a full event is not looked at again.
        var fresh = batch.Pdus.Where(p => !IsFull(known, p.EventId)).ToList();
        if (batch.Mode == IngestMode.Live) await FetchBetweenAsync(room, batch, fresh, known, ct);

        var after = new Dictionary<string, IReadOnlyCollection<string>?>(StringComparer.Ordinal);
        foreach (var pdu in batch.InOrder(batch.Pdus))
        {
            if (IsFull(known, pdu.EventId)) continue;
            var gap = pdu.PrevEvents.Where(id => !IsFull(known, id) && !batch.Has(id)).ToList();
            if (gap.Count == 0) continue;
            var told = new List<IReadOnlyCollection<string>>(gap.Count);
            foreach (var parent in gap)
            {
                if (!after.TryGetValue(parent, out var state))
                    after[parent] = state = after.Count < MaxStates ? await StateAfterAsync(room, batch, parent, ct) : null;
                if (state is null) break;
                told.Add(state);
            }
            if (told.Count == gap.Count) batch.Tell(pdu.EventId, told);
        }
        await CompleteAuthAsync(room, batch, ct);
    }

    private static bool IsFull(Dictionary<string, EventFacts> known, string id) => known.TryGetValue(id, out var fact) && !fact.IsOutlier;

    private async Task<Dictionary<string, EventFacts>> KnownAsync(IEnumerable<string> ids, CancellationToken ct)
    {
        var known = new Dictionary<string, EventFacts>(StringComparer.Ordinal);
        foreach (var chunk in ids.Distinct().Chunk(10_000)) foreach (var f in await graph.FactsByIdsAsync(chunk, ct)) known[f.EventId] = f;
        return known;
    }

    private async Task FetchBetweenAsync(RoomRecord room, IngestBatch batch, List<Pdu> fresh, Dictionary<string, EventFacts> known, CancellationToken ct)
    {
        var latest = fresh.Where(p => p.PrevEvents.Any(id => !IsFull(known, id) && !batch.Has(id))).ToList();
        if (latest.Count == 0) return;
        if (await loader.LoadAsync(room.RoomId, [], ct) is not { } loaded || loaded.Extremities.Count == 0) return;
        var minDepth = Math.Max(1, loaded.Extremities.Min(t => t.Depth));
        LogGap(log, room.RoomId, latest[0].EventId, batch.Origin);
        var answer = await remote.GetMissingEventsAsync(
            batch.Origin, room.RoomId, [.. loaded.Extremities.Select(t => t.EventId)], [.. latest.Select(p => p.EventId)], MaxBetween, minDepth, ct);
        if (answer is null) return;
        foreach (var pdu in await CheckAsync(answer, room, batch.Origin, ct)) batch.Add(pdu);
        foreach (var (id, fact) in await KnownAsync(batch.Pdus.SelectMany(p => p.PrevEvents.Append(p.EventId)), ct)) known[id] = fact;
    }

    private async Task<List<Pdu>> CheckAsync(IReadOnlyList<ReadOnlyMemory<byte>> json, RoomRecord room, string origin, CancellationToken ct)
    {
        var checks = await checker.CheckAllAsync(json, room.Version, room.RoomId, signaturesChecked: false, ct);
        var pdus = new List<Pdu>(checks.Length);
        foreach (var check in checks)
        {
            if (check.Reason is { } reason) LogBad(log, check.EventId ?? "?", room.RoomId, origin, reason);
            if (check.Pdu is { } pdu) pdus.Add(pdu);
        }
        return pdus;
    }

    /// <summary>Ids of the state after a parent that is not here, its events among the outliers; null: it cannot be had.</summary>
    private async Task<IReadOnlyCollection<string>?> StateAfterAsync(RoomRecord room, IngestBatch batch, string parent, CancellationToken ct)
    {
        if (await remote.GetStateIdsAsync(batch.Origin, room.RoomId, parent, ct) is not { } ids) return null;
        if (ids.StateIds.Count + ids.AuthChainIds.Count > MaxStateEvents) return null;
        var wanted = ids.StateIds.Concat(ids.AuthChainIds).Append(parent).Distinct().ToList();
        var known = await KnownAsync(wanted, ct);
        var missing = wanted.Where(id => !known.ContainsKey(id) && !batch.HasAny(id)).ToList();
        if (missing.Count > MaxSingle && await remote.GetStateAsync(batch.Origin, room.RoomId, parent, ct) is { } whole)
        {
            foreach (var pdu in await CheckAsync([.. whole.State, .. whole.AuthChain], room, batch.Origin, ct)) batch.AddOutlier(pdu);
            missing.RemoveAll(batch.HasAny);
        }
        foreach (var id in missing.Take(MaxSingle))
        {
            if (await remote.GetEventAsync(batch.Origin, id, ct) is not { } json) continue;
            foreach (var pdu in await CheckAsync([json], room, batch.Origin, ct)) if (pdu.EventId == id) batch.AddOutlier(pdu);
        }
        // The state before the parent, and then the parent itself where it is one of state.
        var isState = batch.Outliers.FirstOrDefault(p => p.EventId == parent)?.IsState ?? (known.TryGetValue(parent, out var fact) && fact.StateKeyNid is not null);
        return isState ? [.. ids.StateIds, parent] : ids.StateIds;
    }

    /// <summary>Auth events that are neither here nor among what came.</summary>
    private async Task CompleteAuthAsync(RoomRecord room, IngestBatch batch, CancellationToken ct)
    {
        var all = batch.Pdus.Concat(batch.Outliers).ToList();
        var known = await KnownAsync(all.SelectMany(p => p.AuthEvents.Append(p.EventId)), ct);
        var asked = 0;
        foreach (var pdu in batch.Pdus.ToList())
        {
            if (IsFull(known, pdu.EventId) || pdu.AuthEvents.All(id => known.ContainsKey(id) || batch.HasAny(id))) continue;
            if (asked++ >= MaxStates) return;
            if (await remote.GetEventAuthAsync(batch.Origin, room.RoomId, pdu.EventId, ct) is not { } chain) continue;
            foreach (var auth in await CheckAsync(chain, room, batch.Origin, ct)) if (!known.ContainsKey(auth.EventId)) batch.AddOutlier(auth);
        }
    }

    [LoggerMessage(5032, LogLevel.Information, "Parents of {EventId} in {RoomId} are missing; {Origin} is asked")]
    private static partial void LogGap(ILogger log, string roomId, string eventId, string origin);
    [LoggerMessage(5033, LogLevel.Information, "{EventId} for {RoomId}, fetched from {Origin}: {Reason}")]
    private static partial void LogBad(ILogger log, string eventId, string roomId, string origin, string reason);
}

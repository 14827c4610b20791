using Matrix.Events;
using Matrix.Storage.Events;
using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Rooms;

public sealed partial class StateReader
{
    internal const string SqlFindMany = "select snapshot_nid, chain, number from state_snapshots where snapshot_nid = any($1)";
    internal const string SqlPathsOfMany =
        """
        select s.chain, s.number, s.delta from (select distinct chain, number from unnest($1::bigint[], $2::int[]) as u(chain, number)) q
        join state_snapshots s on s.chain = q.chain and s.number = q.number
        """;

    /// <summary>
    /// Events at some keys of several states: snapshot to events, missing keys omitted. Three queries (and one for the keys) however many snapshots;
    /// no map is built. Throws when a snapshot does not exist.
    /// </summary>
    public async Task<Dictionary<long, List<StoredEvent>>> EventsOfManyAsync(
        IReadOnlyCollection<long> snapshotNids, IReadOnlyCollection<StateKey> keys, CancellationToken ct)
    {
        var result = new Dictionary<long, List<StoredEvent>>(snapshotNids.Count);
        foreach (var nid in snapshotNids) result[nid] = [];
        if (result.Count == 0) return result;
        var keyNids = await KeyNidsAsync(keys, ct);
        if (keyNids.Length == 0) return result;

        var places = await PlacesAsync([.. result.Keys], ct);
        var deltas = await DeltasAsync(places.Values, ct);
        var found = new List<(long Snapshot, long EventNid)>();
        foreach (var (snapshot, (chain, number)) in places)
        {
            var values = new long[keyNids.Length];
            Array.Fill(values, -1);
            // Newest row first: the first that names a key has its value.
            var path = StateDelta.Path(number);
            for (var i = path.Length - 1; i >= 0; i--)
                StateDelta.Pick(Delta(deltas, snapshot, chain, path[i]), keyNids, values);
            foreach (var v in values) if (v > 0) found.Add((snapshot, v));
        }
        if (places.Count != result.Count) throw new InvalidDataException("A state snapshot is missing.");
        var events = (await ByNidsAsync([.. found.Select(f => f.EventNid).Distinct()], ct)).ToDictionary(e => e.EventNid);
        foreach (var (snapshot, nid) in found) if (events.TryGetValue(nid, out var e)) result[snapshot].Add(e);
        return result;
    }

    /// <summary>
    /// Whole maps of several states: snapshot to state_key_nid to event_nid. Two queries however many snapshots. Throws when one does not exist.
    /// </summary>
    public async Task<Dictionary<long, Dictionary<long, long>>> LoadManyAsync(IReadOnlyCollection<long> snapshotNids, CancellationToken ct)
    {
        var maps = new Dictionary<long, Dictionary<long, long>>(snapshotNids.Count);
        if (snapshotNids.Count == 0) return maps;
        var places = await PlacesAsync([.. snapshotNids.Distinct()], ct);
        var deltas = await DeltasAsync(places.Values, ct);
        foreach (var (snapshot, (chain, number)) in places)
        {
            var map = maps[snapshot] = [];
            foreach (var n in StateDelta.Path(number)) StateDelta.Apply(Delta(deltas, snapshot, chain, n), map);
        }
        return snapshotNids.All(maps.ContainsKey) ? maps : throw new InvalidDataException("A state snapshot is missing.");
    }

    private static byte[] Delta(Dictionary<(long, int), byte[]> deltas, long snapshot, long chain, int number) =>
        deltas.TryGetValue((chain, number), out var delta)
            ? delta : throw new InvalidDataException($"State snapshot {snapshot} cannot be rebuilt: number {number} of chain {chain} is missing.");

    /// <summary>Ascending.</summary>
    private async Task<long[]> KeyNidsAsync(IReadOnlyCollection<StateKey> keys, CancellationToken ct)
    {
        var nids = new List<long>(keys.Count);
        await using var command = database.Source.CreateCommand(SqlKeys);
        command.Parameters.AddWithValue(keys.Select(k => k.Type).ToArray());
        command.Parameters.AddWithValue(keys.Select(k => k.Key).ToArray());
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) nids.Add(r.GetInt64(0));
        nids.Sort();
        return [.. nids];
    }

    private async Task<Dictionary<long, (long Chain, int Number)>> PlacesAsync(long[] snapshotNids, CancellationToken ct)
    {
        var places = new Dictionary<long, (long, int)>(snapshotNids.Length);
        await using var command = database.Source.CreateCommand(SqlFindMany);
        command.Parameters.AddWithValue(snapshotNids);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) places[r.GetInt64(0)] = (r.GetInt64(1), r.GetInt32(2));
        return places;
    }

    private async Task<Dictionary<(long Chain, int Number), byte[]>> DeltasAsync(IEnumerable<(long Chain, int Number)> places, CancellationToken ct)
    {
        var rows = new HashSet<(long Chain, int Number)>();
        foreach (var (chain, number) in places) foreach (var n in StateDelta.Path(number)) rows.Add((chain, n));
        var deltas = new Dictionary<(long, int), byte[]>(rows.Count);
        await using var command = database.Source.CreateCommand(SqlPathsOfMany);
        command.Parameters.AddWithValue(rows.Select(r => r.Chain).ToArray());
        command.Parameters.AddWithValue(rows.Select(r => r.Number).ToArray());
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) deltas[(r.GetInt64(0), r.GetInt32(1))] = r.GetFieldValue<byte[]>(2);
        return deltas;
    }
}

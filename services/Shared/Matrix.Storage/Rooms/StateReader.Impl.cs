using Matrix.Events;
using Matrix.Storage.Events;
using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Rooms;

public sealed partial class StateReader
{
    internal const string SqlFind = "select chain, number from state_snapshots where snapshot_nid = $1";
    internal const string SqlPath = "select delta from state_snapshots where chain = $1 and number = any($2) order by number";
    internal const string SqlEventsByNids = Columns + "from events e left join event_stream s on s.event_nid = e.event_nid" + Joins +
        "where e.event_nid = any($1) order by e.event_nid";
    internal const string SqlKeys =
        "select k.state_key_nid from unnest($1::text[], $2::text[]) as q(type, state_key) join state_keys k on k.type = q.type and k.state_key = q.state_key";

    public async partial Task<Dictionary<long, long>> LoadAsync(long snapshotNid, CancellationToken ct)
    {
        long chain;
        int number;
        await using (var find = database.Source.CreateCommand(SqlFind))
        {
            find.Parameters.AddWithValue(snapshotNid);
            await using var r = await find.ExecuteReaderAsync(ct);
            if (!await r.ReadAsync(ct)) throw new InvalidDataException($"State snapshot {snapshotNid} is missing.");
            (chain, number) = (r.GetInt64(0), r.GetInt32(1));
        }
        var path = StateDelta.Path(number);
        var map = new Dictionary<long, long>();
        var rows = 0;
        await using var command = database.Source.CreateCommand(SqlPath);
        command.Parameters.AddWithValue(chain);
        command.Parameters.AddWithValue(path);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            StateDelta.Apply(reader.GetFieldValue<byte[]>(0), map);
            rows++;
        }
        if (rows != path.Length) throw new InvalidDataException($"State snapshot {snapshotNid} cannot be rebuilt: {rows} of {path.Length} rows are there.");
        return map;
    }

    public async partial Task<List<StoredEvent>> EventsAsync(long snapshotNid, CancellationToken ct) =>
        await ByNidsAsync([.. (await LoadAsync(snapshotNid, ct)).Values], ct);

    public async partial Task<List<StoredEvent>> EventsAsync(long snapshotNid, IReadOnlyCollection<StateKey> keys, CancellationToken ct)
    {
        var map = await LoadAsync(snapshotNid, ct);
        var nids = new List<long>();
        await using (var command = database.Source.CreateCommand(SqlKeys))
        {
            command.Parameters.AddWithValue(keys.Select(k => k.Type).ToArray());
            command.Parameters.AddWithValue(keys.Select(k => k.Key).ToArray());
            await using var r = await command.ExecuteReaderAsync(ct);
            while (await r.ReadAsync(ct)) if (map.TryGetValue(r.GetInt64(0), out var nid)) nids.Add(nid);
        }
        return await ByNidsAsync([.. nids], ct);
    }

    private async Task<List<StoredEvent>> ByNidsAsync(long[] nids, CancellationToken ct)
    {
        if (nids.Length == 0) return [];
        await using var command = database.Source.CreateCommand(SqlEventsByNids);
        command.Parameters.AddWithValue(nids);
        return await ReadAllAsync(command, ct);
    }
}

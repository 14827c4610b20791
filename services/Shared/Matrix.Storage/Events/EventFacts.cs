using Matrix.Events;
using Npgsql;

namespace Matrix.Storage.Events;

/// <summary>What the graph needs to know of a stored event, without its bytes.</summary>
public sealed record EventFacts(
    long EventNid, string EventId, long RoomNid, EventFlags Flags, long? SnapshotNid, long Depth, long? StateKeyNid, long[] PrevNids, long[] AuthNids)
{
    public bool IsOutlier => (Flags & EventFlags.Outlier) != 0;
    public bool IsRejected => (Flags & EventFlags.Rejected) != 0;
    public bool IsSoftFailed => (Flags & EventFlags.SoftFailed) != 0;
    /// <summary>Neither rejected nor soft-failed.</summary>
    public bool IsAccepted => (Flags & (EventFlags.Rejected | EventFlags.SoftFailed)) == 0;
}

/// <summary>An event as state resolution reads it.</summary>
public sealed record GraphEvent(long EventNid, bool IsRejected, Pdu Pdu);

/// <summary>Reads the graph of events: by ids and nids, auth chains, what refers to what is missing. Missing events are omitted.</summary>
public sealed class EventGraphReader(Database database)
{
    private const string FactColumns =
        "select event_nid, event_id, room_nid, flags, snapshot_nid, depth, state_key_nid, prev_nids, auth_nids from events ";
    internal const string SqlFactsByIds = FactColumns + "where event_id = any($1)";
    internal const string SqlFactsByNids = FactColumns + "where event_nid = any($1)";
    internal const string SqlEventsByIds = "select event_nid, flags, event_id, json from events where room_nid = $1 and event_id = any($2)";
    internal const string SqlEventsByNids = "select event_nid, flags, event_id, json from events where event_nid = any($1)";
    private const string RestOfChain =
        """
            union
            select a.nid from chain c join events e on e.event_nid = c.nid cross join unnest(e.auth_nids) as a(nid))
        select e.event_nid, e.event_id, e.auth_nids from chain c join events e on e.event_nid = c.nid
        """;
    internal const string SqlAuthChain =
        "with recursive chain(nid) as (select event_nid from events where room_nid = $1 and event_id = any($2) " + RestOfChain;
    internal const string SqlAuthChainOfNids = "with recursive chain(nid) as (select unnest($1::bigint[]) " + RestOfChain;
    internal const string SqlChildren =
        """
        select distinct m.missing_id from missing_parents m join events e on e.event_nid = m.child_nid
        where m.missing_id = any($1) and m.room_nid = $2 and e.flags & 7 = 0
        """;
    internal const string SqlRedactions = "select event_id, redacted_by from redactions where event_id = any($1) and room_nid = $2";
    internal const string SqlMissing =
        """
        select m.missing_id, max(e.depth), min(s.pos) from missing_parents m join events e on e.event_nid = m.child_nid
        left join event_stream s on s.event_nid = m.child_nid
        where m.room_nid = $1 and e.flags & 3 = 0 group by m.missing_id order by 2 desc limit $2
        """;

    public Task<List<EventFacts>> FactsByIdsAsync(IReadOnlyCollection<string> ids, CancellationToken ct) =>
        FactsAsync(SqlFactsByIds, ids as string[] ?? [.. ids], ct);

    public Task<List<EventFacts>> FactsByNidsAsync(IReadOnlyCollection<long> nids, CancellationToken ct) =>
        FactsAsync(SqlFactsByNids, nids as long[] ?? [.. nids], ct);

    private async Task<List<EventFacts>> FactsAsync(string sql, Array keys, CancellationToken ct)
    {
        var facts = new List<EventFacts>(keys.Length);
        if (keys.Length == 0) return facts;
        await using var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(keys);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            facts.Add(new(r.GetInt64(0), r.GetString(1), r.GetInt64(2), (EventFlags)r.GetInt16(3), r.IsDBNull(4) ? null : r.GetInt64(4), r.GetInt64(5),
                r.IsDBNull(6) ? null : r.GetInt64(6), r.GetFieldValue<long[]>(7), r.GetFieldValue<long[]>(8)));
        return facts;
    }

    public async Task<List<GraphEvent>> EventsAsync(long roomNid, RoomVersion version, IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        if (ids.Count == 0) return [];
        await using var command = database.Source.CreateCommand(SqlEventsByIds);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(ids as string[] ?? [.. ids]);
        return await EventsAsync(command, version, ct);
    }

    public async Task<List<GraphEvent>> EventsAsync(RoomVersion version, IReadOnlyCollection<long> nids, CancellationToken ct)
    {
        if (nids.Count == 0) return [];
        await using var command = database.Source.CreateCommand(SqlEventsByNids);
        command.Parameters.AddWithValue(nids as long[] ?? [.. nids]);
        return await EventsAsync(command, version, ct);
    }

    private static async Task<List<GraphEvent>> EventsAsync(NpgsqlCommand command, RoomVersion version, CancellationToken ct)
    {
        var events = new List<GraphEvent>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct))
            events.Add(new(r.GetInt64(0), ((EventFlags)r.GetInt16(1) & EventFlags.Rejected) != 0, Pdu.ReadTrusted(r.GetFieldValue<byte[]>(3), version, r.GetString(2))));
        return events;
    }

    /// <summary>Id and auth events of those events of the room and of everything that they rest on.</summary>
    public async Task<List<(long Nid, string Id, string[] AuthIds)>> AuthChainAsync(long roomNid, IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAuthChain);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(ids as string[] ?? [.. ids]);
        return await ChainAsync(command, ct);
    }

    public async Task<List<(long Nid, string Id, string[] AuthIds)>> AuthChainAsync(IReadOnlyCollection<long> nids, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlAuthChainOfNids);
        command.Parameters.AddWithValue(nids as long[] ?? [.. nids]);
        return await ChainAsync(command, ct);
    }

    private static async Task<List<(long Nid, string Id, string[] AuthIds)>> ChainAsync(NpgsqlCommand command, CancellationToken ct)
    {
        var nodes = new Dictionary<long, (string Id, long[] Auth)>();
        await using (var r = await command.ExecuteReaderAsync(ct))
            while (await r.ReadAsync(ct)) nodes[r.GetInt64(0)] = (r.GetString(1), r.GetFieldValue<long[]>(2));
        var chain = new List<(long, string, string[])>(nodes.Count);
        foreach (var (own, (id, auth)) in nodes)
        {
            var authIds = new List<string>(auth.Length);
            foreach (var nid in auth) if (nodes.TryGetValue(nid, out var node)) authIds.Add(node.Id);
            chain.Add((own, id, [.. authIds]));
        }
        return chain;
    }

    /// <summary>Those of the ids that an accepted event of the room cites as its parent.</summary>
    public async Task<HashSet<string>> CitedAsync(long roomNid, IReadOnlyCollection<string> missingIds, CancellationToken ct)
    {
        var cited = new HashSet<string>(StringComparer.Ordinal);
        if (missingIds.Count == 0) return cited;
        await using var command = database.Source.CreateCommand(SqlChildren);
        command.Parameters.AddWithValue(missingIds as string[] ?? [.. missingIds]);
        command.Parameters.AddWithValue(roomNid);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) cited.Add(r.GetString(0));
        return cited;
    }

    /// <summary>Redactions of the room that came before what they redact: id of the target and of the redaction.</summary>
    public async Task<List<(string TargetId, string RedactedBy)>> RedactionsOfAsync(long roomNid, IReadOnlyCollection<string> ids, CancellationToken ct)
    {
        var found = new List<(string, string)>();
        if (ids.Count == 0) return found;
        await using var command = database.Source.CreateCommand(SqlRedactions);
        command.Parameters.AddWithValue(ids as string[] ?? [.. ids]);
        command.Parameters.AddWithValue(roomNid);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) found.Add((r.GetString(0), r.GetString(1)));
        return found;
    }

    /// <summary>Parents that the room's events lack: id, greatest depth and least position of an event that cites it, deepest first.</summary>
    public async Task<List<(string MissingId, long Depth, long? Position)>> MissingParentsAsync(long roomNid, int limit, CancellationToken ct)
    {
        var missing = new List<(string, long, long?)>();
        await using var command = database.Source.CreateCommand(SqlMissing);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) missing.Add((r.GetString(0), r.GetInt64(1), r.IsDBNull(2) ? null : r.GetInt64(2)));
        return missing;
    }
}

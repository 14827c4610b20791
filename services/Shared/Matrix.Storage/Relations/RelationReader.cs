using Npgsql;
using NpgsqlTypes;
using static Matrix.Storage.StoreParameters;

namespace Matrix.Storage.Relations;

/// <summary>An event whose children are asked for.</summary>
/// <param name="UpTo">Children at later positions do not count.</param>
public readonly record struct RelationParent(long RoomNid, string EventId, string Sender, string Type, long UpTo);

/// <param name="LatestNid">The newest event of the thread.</param>
/// <param name="HasOwn">Whether the user asked for has said something in it.</param>
public sealed record ThreadSummary(long Count, bool HasOwn, long LatestNid);

/// <summary>What the children of one event come to; empty ones are omitted.</summary>
public sealed record ChildrenSummary
{
    /// <summary>The newest event that could replace the parent; null: none. Whether the parent can be replaced is not looked at.</summary>
    public long? ReplacementNid { get; set; }
    /// <summary>Ids of events with m.reference, oldest first.</summary>
    public List<string> References { get; } = [];
    public ThreadSummary? Thread { get; set; }
}

/// <summary>A thread in which something was said.</summary>
/// <param name="Latest">Position of the newest event of it.</param>
/// <param name="Count">How many there are.</param>
public sealed record ThreadNews(long RoomNid, string RootId, long RootNid, long Latest, long Count);

/// <summary>Reads relations between events. Nothing here hides anything but events of the users named as ignored.</summary>
public sealed partial class RelationReader(Database database)
{
    /// <summary>By index in <paramref name="parents"/>, in one round trip; parents without such children are omitted.</summary>
    /// <param name="threads">False: threads are not looked for.</param>
    public async Task<Dictionary<int, ChildrenSummary>> SummariesAsync(
        IReadOnlyList<RelationParent> parents, string userId, IReadOnlyCollection<string> ignored, bool threads, CancellationToken ct)
    {
        var found = new Dictionary<int, ChildrenSummary>();
        if (parents.Count == 0) return found;
        ChildrenSummary Of(NpgsqlDataReader r)
        {
            var place = (int)r.GetInt64(0) - 1;
            if (!found.TryGetValue(place, out var summary)) found[place] = summary = new ChildrenSummary();
            return summary;
        }
        string[] hidden = [.. ignored];
        await using var batch = database.Source.CreateBatch();
        Add(batch, SqlReplacements, parents);
        Add(batch, SqlReferences, parents).Parameters.AddWithValue(hidden);
        if (threads)
        {
            var command = Add(batch, SqlThreads, parents);
            command.Parameters.AddWithValue(hidden);
            command.Parameters.AddWithValue(userId);
        }
        await using var r = await batch.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) Of(r).ReplacementNid = r.GetInt64(1);
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct)) Of(r).References.Add(r.GetString(1));
        if (!threads) return found;
        await r.NextResultAsync(ct);
        while (await r.ReadAsync(ct)) Of(r).Thread = new ThreadSummary(r.GetInt64(1), r.GetBoolean(2), r.GetInt64(3));
        return found;
    }

    private static NpgsqlBatchCommand Add(NpgsqlBatch batch, string sql, IReadOnlyList<RelationParent> parents)
    {
        var (rooms, ids, senders, types, upTo) =
            (new long[parents.Count], new string[parents.Count], new string[parents.Count], new string[parents.Count], new long[parents.Count]);
        for (var i = 0; i < parents.Count; i++) (rooms[i], ids[i], senders[i], types[i], upTo[i]) = parents[i];
        var command = new NpgsqlBatchCommand(sql);
        command.Parameters.AddWithValue(rooms);
        command.Parameters.AddWithValue(ids);
        command.Parameters.AddWithValue(senders);
        command.Parameters.AddWithValue(types);
        command.Parameters.AddWithValue(upTo);
        batch.BatchCommands.Add(command);
        return command;
    }

    /// <summary>
    /// Children of an event at positions in (after, upTo], newest first when <paramref name="backwards"/>: their nids, and how many relations lie
    /// between. Null relation or event type: any. Deeper than <paramref name="depth"/> steps nothing is looked for.
    /// </summary>
    public async Task<List<(long EventNid, int Depth)>> ChildrenAsync(
        long roomNid, string parentId, string? relType, string? eventType, int depth, (long After, long UpTo) range, bool backwards, int limit,
        CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(backwards ? SqlChildrenBackwards : SqlChildrenForwards);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(parentId);
        command.Parameters.Add(Text(relType));
        command.Parameters.Add(Text(eventType));
        command.Parameters.AddWithValue(depth);
        command.Parameters.AddWithValue(range.After);
        command.Parameters.AddWithValue(range.UpTo);
        command.Parameters.AddWithValue(limit);
        var children = new List<(long, int)>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) children.Add((r.GetInt64(0), r.GetInt32(1)));
        return children;
    }

    /// <summary>
    /// Roots of the room's threads with the position of their newest event, latest first, those that stand at or before <paramref name="from"/>. Events
    /// after <paramref name="upTo"/> do not count.
    /// </summary>
    public async Task<List<(long RootNid, long Latest)>> ThreadRootsAsync(
        long roomNid, long upTo, long from, string userId, bool participated, IReadOnlyCollection<string> ignored, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlRoots);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(upTo);
        command.Parameters.AddWithValue(userId);
        command.Parameters.AddWithValue(ignored.ToArray());
        command.Parameters.AddWithValue(from);
        command.Parameters.AddWithValue(participated);
        command.Parameters.AddWithValue(limit);
        var roots = new List<(long, long)>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) roots.Add((r.GetInt64(0), r.GetInt64(1)));
        return roots;
    }

    /// <summary>
    /// Threads of those rooms with events at positions in (after, upTo], latest first, those whose newest event stands at or before
    /// <paramref name="from"/>. Roots that are not here are left out.
    /// </summary>
    public async Task<List<ThreadNews>> ThreadNewsAsync(
        IReadOnlyCollection<long> roomNids, long after, long upTo, long from, IReadOnlyCollection<string> ignored, int limit, CancellationToken ct)
    {
        var threads = new List<ThreadNews>();
        if (roomNids.Count == 0) return threads;
        await using var command = database.Source.CreateCommand(SqlThreadNews);
        command.Parameters.AddWithValue(roomNids.ToArray());
        command.Parameters.AddWithValue(after);
        command.Parameters.AddWithValue(upTo);
        command.Parameters.AddWithValue(ignored.ToArray());
        command.Parameters.AddWithValue(from);
        command.Parameters.AddWithValue(limit);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) threads.Add(new(r.GetInt64(0), r.GetString(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4)));
        return threads;
    }

    /// <summary>Whether the user has annotated that event with an event of that type and key before.</summary>
    public async Task<bool> HasAnnotationAsync(long roomNid, string parentId, string type, string sender, string? key, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlHasAnnotation);
        command.Parameters.AddWithValue(roomNid);
        command.Parameters.AddWithValue(parentId);
        command.Parameters.AddWithValue(type);
        command.Parameters.AddWithValue(sender);
        command.Parameters.Add(Text(key));
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    /// <summary>Those of a room's events that some event of any of those relation types and senders relates to. Null: any.</summary>
    public Task<HashSet<string>> RelatedAsync(long roomNid, string[] eventIds, string[]? relTypes, string[]? senders, CancellationToken ct) =>
        RelatedAsync([.. eventIds.Select(id => (roomNid, id))], relTypes, senders, long.MaxValue, ct);

    /// <summary>The same of events of several rooms; relating events after <paramref name="upTo"/> do not count.</summary>
    public async Task<HashSet<string>> RelatedAsync(
        IReadOnlyCollection<(long RoomNid, string EventId)> events, string[]? relTypes, string[]? senders, long upTo, CancellationToken ct)
    {
        var related = new HashSet<string>(StringComparer.Ordinal);
        if (events.Count == 0) return related;
        await using var command = database.Source.CreateCommand(SqlRelated);
        command.Parameters.AddWithValue(events.Select(e => e.RoomNid).ToArray());
        command.Parameters.AddWithValue(events.Select(e => e.EventId).ToArray());
        command.Parameters.Add(Texts(relTypes));
        command.Parameters.Add(Texts(senders));
        command.Parameters.AddWithValue(upTo);
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) related.Add(r.GetString(0));
        return related;
    }

    private static NpgsqlParameter Texts(string[]? values) =>
        new() { Value = (object?)values ?? DBNull.Value, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text };
}

using Matrix.Storage.Events;
using Npgsql;
using static Matrix.Storage.Events.StoredEventSql;

namespace Matrix.Storage.Search;

/// <summary>What of an event was searched.</summary>
public enum SearchKind : short { Body = 1, Name = 2, Topic = 3 }

/// <summary>A row of the index to be.</summary>
/// <param name="Words">From <see cref="SearchTokens.ToVector"/>.</param>
public sealed record SearchEntry(long EventNid, long RoomNid, long Position, string Sender, SearchKind Kind, string Words);

public readonly record struct SearchHit(long EventNid, long RoomNid, long Position, double Rank);

/// <summary>Which hits are wanted.</summary>
/// <param name="Senders">Null: any.</param>
/// <param name="After">The hit to go on after, in the order asked for; null: from the first.</param>
public sealed record SearchRange(
    string Query, IReadOnlyCollection<long> RoomNids, IReadOnlyCollection<SearchKind> Kinds, IReadOnlyCollection<string>? Senders, bool ByRank, (double Rank, long Position)? After);

/// <summary>The index of messages. Written by Background, read by ClientApi.</summary>
public sealed class SearchStore(Database database)
{
    internal const string SqlAdd =
        """
        insert into search_index (event_nid, room_nid, pos, sender, kind, words)
        select u.event_nid, u.room_nid, u.pos, u.sender, u.kind, normalize(u.words, NFKC)::tsvector
        from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::smallint[], $6::text[]) as u(event_nid, room_nid, pos, sender, kind, words)
        on conflict (event_nid) do update set words = excluded.words
        """;
    internal const string SqlRemove =
        """
        delete from search_index s using events e, unnest($1::bigint[], $2::text[]) as u(room_nid, event_id)
        where e.event_id = u.event_id and e.room_nid = u.room_nid and s.event_nid = e.event_nid
        """;
    internal const string SqlClear = "delete from search_index";
    internal const string SqlPage = Columns +
        "from event_stream s join events e on e.event_nid = s.event_nid" + Joins +
        "where s.pos > $1 and e.type in ('m.room.message', 'm.room.name', 'm.room.topic') and e.flags & 15 = 0 order by s.pos limit $2";

    private const string Hits =
        """
        from search_index s, (select normalize($1::text, NFKC)::tsquery as query) q
        where s.words @@ q.query and s.room_nid = any($2) and s.kind = any($3) and ($4::text[] is null or s.sender = any($4))
        """;
    private const string Ranked = "select h.event_nid, h.room_nid, h.pos, h.rank from (select s.event_nid, s.room_nid, s.pos, ts_rank(s.words, q.query)::float8 as rank " + Hits + ") h ";
    internal const string SqlByRank = Ranked + "where (h.rank, h.pos) < ($5, $6) order by h.rank desc, h.pos desc limit $7";
    internal const string SqlByTime = Ranked + "where $5::float8 is not null and h.pos < $6 order by h.pos desc limit $7";
    internal const string SqlCount = "select count(*) from (select 1 " + Hits + " limit $5) h";

    public static async Task AddAsync(NpgsqlTransaction tx, IReadOnlyList<SearchEntry> entries, CancellationToken ct)
    {
        if (entries.Count == 0) return;
        await using var command = new NpgsqlCommand(SqlAdd, tx.Connection, tx);
        command.Parameters.AddWithValue(entries.Select(e => e.EventNid).ToArray());
        command.Parameters.AddWithValue(entries.Select(e => e.RoomNid).ToArray());
        command.Parameters.AddWithValue(entries.Select(e => e.Position).ToArray());
        command.Parameters.AddWithValue(entries.Select(e => e.Sender).ToArray());
        command.Parameters.AddWithValue(entries.Select(e => (short)e.Kind).ToArray());
        command.Parameters.AddWithValue(entries.Select(e => e.Words).ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }

    public static async Task RemoveAsync(NpgsqlTransaction tx, IReadOnlyList<(long RoomNid, string EventId)> events, CancellationToken ct)
    {
        if (events.Count == 0) return;
        await using var command = new NpgsqlCommand(SqlRemove, tx.Connection, tx);
        command.Parameters.AddWithValue(events.Select(e => e.RoomNid).ToArray());
        command.Parameters.AddWithValue(events.Select(e => e.EventId).ToArray());
        await command.ExecuteNonQueryAsync(ct);
    }

    public async Task ClearAsync(CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlClear);
        await command.ExecuteNonQueryAsync(ct);
    }

    /// <summary>Events that may be searched, after that position, ascending.</summary>
    public async Task<List<StoredEvent>> PageAsync(long after, int limit, CancellationToken ct)
    {
        await using var command = database.Source.CreateCommand(SqlPage);
        command.Parameters.AddWithValue(after);
        command.Parameters.AddWithValue(limit);
        return await ReadAllAsync(command, ct);
    }

    /// <summary>In the order asked for. Who may see them is not looked at.</summary>
    public async Task<List<SearchHit>> FindAsync(SearchRange range, int limit, CancellationToken ct)
    {
        await using var command = Command(range.ByRank ? SqlByRank : SqlByTime, range);
        var after = range.After ?? (double.PositiveInfinity, long.MaxValue);
        command.Parameters.AddWithValue(after.Rank);
        command.Parameters.AddWithValue(after.Position);
        command.Parameters.AddWithValue(limit);
        var hits = new List<SearchHit>();
        await using var r = await command.ExecuteReaderAsync(ct);
        while (await r.ReadAsync(ct)) hits.Add(new(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetDouble(3)));
        return hits;
    }

    /// <summary>How many there are, counted up to <paramref name="limit"/>.</summary>
    public async Task<long> CountAsync(SearchRange range, int limit, CancellationToken ct)
    {
        await using var command = Command(SqlCount, range);
        command.Parameters.AddWithValue(limit);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    private NpgsqlCommand Command(string sql, SearchRange range)
    {
        var command = database.Source.CreateCommand(sql);
        command.Parameters.AddWithValue(range.Query);
        command.Parameters.AddWithValue(range.RoomNids.ToArray());
        command.Parameters.AddWithValue(range.Kinds.Select(k => (short)k).ToArray());
        command.Parameters.Add(new NpgsqlParameter
        {
            Value = (object?)range.Senders?.ToArray() ?? DBNull.Value, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Array | NpgsqlTypes.NpgsqlDbType.Text,
        });
        return command;
    }
}

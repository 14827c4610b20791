namespace Matrix.Storage.Events;

/// <summary>
/// Numbers from a sequence in blocks: one query for many. What a process does not use is lost, which no one minds. Thread safe.
/// </summary>
public sealed class NidBlocks
{
    /// <remarks>The sequence steps by the size of a block.</remarks>
    internal const string SqlEvents = "select nextval('event_nids')";
    internal const string SqlSnapshots = "select nextval('snapshot_nids')";
    internal const string SqlRooms = "select nextval(pg_get_serial_sequence('rooms', 'room_nid')) from generate_series(1, 16)";

    private readonly Database database;
    private readonly string sql;
    private readonly int block;
    private readonly Queue<(long From, long To)> ranges = new();
    private readonly Lock gate = new();
    private readonly SemaphoreSlim fetching = new(1);
    private long next, end;
    private readonly HashSet<long> taken = [];

    private NidBlocks(Database database, string sql, int block) => (this.database, this.sql, this.block) = (database, sql, block);

    public static NidBlocks OfEvents(Database database) => new(database, SqlEvents, 1000);
    public static NidBlocks OfSnapshots(Database database) => new(database, SqlSnapshots, 1000);
    /// <summary>Rooms come one by one: their sequence belongs to the column.</summary>
    public static NidBlocks OfRooms(Database database) => new(database, SqlRooms, 1);

    public ValueTask<long> NextAsync(CancellationToken ct)
    {
        lock (gate) if (TryNext(out var nid)) return ValueTask.FromResult(nid);
        return FetchAsync(ct);
    }

    /// <summary>Whether this process handed that number out.</summary>
    public bool IsOurs(long nid)
    {
        lock (gate) return taken.Contains((nid - 1) / block);
    }

    private bool TryNext(out long nid)
    {
        while (next >= end && ranges.TryDequeue(out var range)) (next, end) = range;
        nid = next;
        if (next >= end) return false;
        next++;
        return true;
    }

    private async ValueTask<long> FetchAsync(CancellationToken ct)
    {
        while (true)
        {
            await fetching.WaitAsync(ct);
            try
            {
                lock (gate) if (TryNext(out var nid)) return nid;
                await using var command = database.Source.CreateCommand(sql);
                await using var r = await command.ExecuteReaderAsync(ct);
                while (await r.ReadAsync(ct))
                {
                    var from = r.GetInt64(0);
                    lock (gate)
                    {
                        ranges.Enqueue((from, from + block));
                        if (block > 1) taken.Add((from - 1) / block);
                    }
                }
            }
            finally
            {
                fetching.Release();
            }
        }
    }
}

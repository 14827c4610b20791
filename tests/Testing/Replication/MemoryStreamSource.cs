using Matrix.Replication;

namespace Matrix.Testing.Replication;

/// <summary>Persistent streams in memory, with the promises of the database: gapless, in commit order, a position is never split over pages.</summary>
public sealed class MemoryStreamSource : IStreamSource
{
    private readonly Lock gate = new();
    private readonly Dictionary<StreamDefinition, List<StreamRow>> rows =
        Streams.All.Where(s => !s.IsEphemeral).ToDictionary(s => s, _ => new List<StreamRow>());
    private readonly Dictionary<StreamDefinition, long> positions = Streams.All.Where(s => !s.IsEphemeral).ToDictionary(s => s, _ => 0L);

    public bool IsAway { get; set; }
    /// <summary>Rows up to here are no longer kept.</summary>
    public long PrunedUpTo { get; set; }
    /// <summary>Reads of rows so far.</summary>
    public int Reads { get; private set; }

    /// <summary>How often the positions were asked for.</summary>
    public int Comparisons { get; private set; }

    public long Position(StreamDefinition stream)
    {
        lock (gate) return positions[stream];
    }

    /// <summary>Commits: a position for each inner list, which may hold several rows, or none.</summary>
    public StreamFrame Commit(StreamDefinition stream, params IReadOnlyList<(string Key, byte[] Payload)>[] batch)
    {
        lock (gate)
        {
            var from = positions[stream];
            var added = batch.SelectMany((p, i) => p.Select(r => new StreamRow(from + 1 + i, r.Key, r.Payload))).ToList();
            rows[stream].AddRange(added);
            positions[stream] += batch.Length;
            return new StreamFrame(stream, from, positions[stream], "test", added);
        }
    }

    public IReadOnlyList<StreamRow> RowsAfter(StreamDefinition stream, long position)
    {
        lock (gate) return rows[stream].Where(r => r.Position > position).ToList();
    }

    public Task<IReadOnlyDictionary<StreamDefinition, long>> GetPositionsAsync(CancellationToken ct)
    {
        Comparisons++;
        if (IsAway) return Task.FromException<IReadOnlyDictionary<StreamDefinition, long>>(new IOException("away"));
        lock (gate) return Task.FromResult<IReadOnlyDictionary<StreamDefinition, long>>(new Dictionary<StreamDefinition, long>(positions));
    }

    public Task<StreamPage> ReadAsync(StreamDefinition stream, long from, long to, int limit, CancellationToken ct)
    {
        if (IsAway) return Task.FromException<StreamPage>(new IOException("away"));
        lock (gate)
        {
            Reads++;
            if (from < PrunedUpTo) return Task.FromException<StreamPage>(new StreamRowsPrunedException(stream, from, PrunedUpTo));
            var end = Math.Min(to, positions[stream]);
            var found = rows[stream].Where(r => r.Position > from && r.Position <= end).ToList();
            if (found.Count <= limit) return Task.FromResult(new StreamPage(Math.Max(from, end), found));
            var last = found[limit - 1].Position;
            return Task.FromResult(new StreamPage(last, found.TakeWhile(r => r.Position <= last).ToList()));
        }
    }
}

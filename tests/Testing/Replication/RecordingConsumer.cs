using Matrix.Replication;

namespace Matrix.Testing.Replication;

/// <summary>Keeps what it is given and notes every breach of the contract of <see cref="IStreamConsumer"/>.</summary>
public sealed class RecordingConsumer(params StreamDefinition[] streams) : IStreamConsumer
{
    private readonly Dictionary<StreamDefinition, List<StreamRow>> rows = streams.ToDictionary(s => s, _ => new List<StreamRow>());
    private readonly Dictionary<StreamDefinition, Dictionary<string, byte[]>> newest =
        streams.ToDictionary(s => s, _ => new Dictionary<string, byte[]>(StringComparer.Ordinal));
    private readonly Dictionary<StreamDefinition, long> reached = [];
    private int inside;

    public IReadOnlyCollection<StreamDefinition> Streams => streams;
    public List<string> Breaches { get; } = [];
    public int Resets { get; private set; }
    /// <summary>Called in the middle of every delivery.</summary>
    public Func<StreamDefinition, ValueTask>? Within { get; set; }

    /// <summary>Every row given, in order.</summary>
    public IReadOnlyList<StreamRow> Rows(StreamDefinition stream) => rows[stream];
    /// <summary>Newest payload of each key since the last reset.</summary>
    public IReadOnlyDictionary<string, byte[]> Newest(StreamDefinition stream) => newest[stream];

    public async ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> given)
    {
        if (streams.Length == 1 && Interlocked.Increment(ref inside) > 1) Breaches.Add($"{stream}: two deliveries at once");
        var isReset = stream.IsEphemeral && from == 0;
        if (reached.TryGetValue(stream, out var before) && from != before && !isReset) Breaches.Add($"{stream}: from {from}, reached {before}");
        if (to < from || (to == from && !isReset)) Breaches.Add($"{stream}: ({from}, {to}] is empty");
        foreach (var row in given)
        {
            if (row.Position <= from || row.Position > to) Breaches.Add($"{stream}: row {row.Position} outside ({from}, {to}]");
        }
        if (isReset)
        {
            Resets++;
            newest[stream].Clear();
        }
        rows[stream].AddRange(given);
        foreach (var row in given) newest[stream][row.Key] = row.Payload.ToArray();
        reached[stream] = to;
        if (Within is { } within) await within(stream);
        Interlocked.Decrement(ref inside);
    }
}

using Matrix.Replication;

namespace Matrix.Storage.Following;

/// <summary>
/// The newest rows of one stream as the bus brought them, so that they need not be read again. Holds one unbroken range of at most <paramref name="most"/>
/// rows; whatever does not fit is left to the database.
/// </summary>
internal sealed class RecentRows(int most)
{
    private readonly Lock gate = new();
    private readonly List<StreamRow> held = [];
    private long start;
    private long end;

    /// <summary>Last position that is known to exist.</summary>
    public long End { get { lock (gate) return end; } }

    public void Add(long from, long to, IReadOnlyList<StreamRow> rows)
    {
        lock (gate)
        {
            if (from != end || held.Count + rows.Count > most)
            {
                held.Clear();
                start = from;
            }
            if (rows.Count > most) start = to;
            else held.AddRange(rows);
            end = to;
        }
    }

    /// <summary>Everything after a position, which is then no longer held; null when some of it is not here.</summary>
    public StreamPage? After(long position)
    {
        lock (gate)
        {
            if (position < start || position >= end) return null;
            var page = new StreamPage(end, held.FindAll(r => r.Position > position));
            held.Clear();
            start = end;
            return page;
        }
    }
}

using Matrix.Replication;

namespace Matrix.Push.Evaluation;

/// <summary>
/// Stream events as the bus brought them, waiting to be evaluated. Bounded: what does not fit is dropped and read from the database later, when
/// its turn comes.
/// </summary>
internal sealed class EventFeed
{
    private const int MaxRows = 5000;
    private readonly Lock gate = new();
    private readonly Queue<StreamPage> pages = new();
    private readonly Queue<long> starts = new();
    private int rows;

    public void Add(long from, long to, IReadOnlyList<StreamRow> added)
    {
        lock (gate)
        {
            if (rows + added.Count > MaxRows)
            {
                pages.Clear();
                starts.Clear();
                rows = 0;
                if (added.Count > MaxRows) return;
            }
            pages.Enqueue(new StreamPage(to, added));
            starts.Enqueue(from);
            rows += added.Count;
        }
    }

    /// <summary>
    /// What comes right after a position. Null when it is not here; <paramref name="until"/> is then how far the database has to be read.
    /// </summary>
    public StreamPage? Take(long position, long known, out long until)
    {
        lock (gate)
        {
            while (pages.TryPeek(out var page) && page.To <= position) Drop();
            if (!pages.TryPeek(out var next) || starts.Peek() > position)
            {
                until = pages.Count > 0 ? Math.Min(known, starts.Peek()) : known;
                return null;
            }
            until = next.To;
            Drop();
            return new StreamPage(next.To, [.. next.Rows.Where(r => r.Position > position)]);
        }
    }

    private void Drop()
    {
        rows -= pages.Dequeue().Rows.Count;
        starts.Dequeue();
    }
}

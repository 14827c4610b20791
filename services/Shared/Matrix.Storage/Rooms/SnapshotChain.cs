using System.Runtime.InteropServices;

namespace Matrix.Storage.Rooms;

/// <summary>A row of <c>state_snapshots</c> that is to be written.</summary>
public readonly record struct SnapshotRow(long SnapshotNid, long RoomNid, long Chain, int Number, byte[] Delta);

/// <summary>
/// The tip of a room's chain of snapshots, as a writer holds it: the rows on the tip's path but its base, so that the next snapshot is written
/// without reading. Number d holds its difference to number d &amp; (d - 1), which is what its own change and the rows that are now covered
/// say together. A chain is any sequence of states; they need not follow one another in the graph. Not thread safe. docs/state.md
/// </summary>
public sealed class SnapshotChain
{
    private readonly List<(int Number, byte[] Delta)> path;

    private SnapshotChain(long chain, int number, List<(int, byte[])> path) => (Chain, Number, this.path) = (chain, number, path);

    /// <summary>A chain without snapshots: the first appended one holds the whole state.</summary>
    public static SnapshotChain Empty() => new(0, -1, []);

    /// <param name="path">Rows of the tip's path in ascending order of number, without number 0.</param>
    public static SnapshotChain At(long chain, int number, IEnumerable<(int Number, byte[] Delta)> path) => new(chain, number, [.. path]);

    /// <summary>Snapshot nid of the chain's first snapshot.</summary>
    public long Chain { get; private set; }
    /// <summary>Number of the tip; -1: no snapshot yet.</summary>
    public int Number { get; private set; }

    /// <summary>Bytes that this holds, about.</summary>
    public long Bytes
    {
        get
        {
            long sum = 64;
            foreach (var (_, delta) in CollectionsMarshal.AsSpan(path)) sum += delta.Length + 48;
            return sum;
        }
    }

    /// <summary>Adds the state that differs from the tip by <paramref name="changes"/> (event nid 0 removes).</summary>
    public SnapshotRow Append(long snapshotNid, long roomNid, ReadOnlySpan<KeyValuePair<long, long>> changes)
    {
        var delta = StateDelta.Encode(changes);
        Number++;
        if (Number == 0)
        {
            Chain = snapshotNid;
            return new SnapshotRow(snapshotNid, roomNid, Chain, 0, delta);
        }
        // As many rows are covered as the number has zeros at its end; the youngest lies on top.
        var baseNumber = Number & (Number - 1);
        while (path.Count > 0 && path[^1].Number > baseNumber)
        {
            delta = StateDelta.Merge(path[^1].Delta, delta);
            path.RemoveAt(path.Count - 1);
        }
        path.Add((Number, delta));
        return new SnapshotRow(snapshotNid, roomNid, Chain, Number, delta);
    }
}

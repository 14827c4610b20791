using System.Buffers;

namespace Matrix.Storage.Rooms;

/// <summary>
/// The <c>delta</c> of a snapshot row: pairs (state_key_nid, event_nid) sorted by key, each as two varints; the key as the difference to the one
/// before. Event nid 0 removes the key. docs/state.md
/// </summary>
public static partial class StateDelta
{
    public static byte[] Encode(IEnumerable<KeyValuePair<long, long>> changes) => Encode([.. changes]);

    public static byte[] Encode(ReadOnlySpan<KeyValuePair<long, long>> changes)
    {
        if (changes.Length > 1)
        {
            var sorted = changes.ToArray();
            Array.Sort(sorted, static (a, b) => a.Key.CompareTo(b.Key));
            changes = sorted;
        }
        var output = new ArrayBufferWriter<byte>(Math.Max(16, changes.Length * 6));
        long last = 0;
        foreach (var (key, value) in changes)
        {
            Write(output, key - last);
            Write(output, value);
            last = key;
        }
        return output.WrittenSpan.ToArray();
    }

    /// <summary>Applies a delta to a map. Throws <see cref="InvalidDataException"/> for bytes that are no delta.</summary>
    public static void Apply(ReadOnlySpan<byte> delta, Dictionary<long, long> map)
    {
        long key = 0;
        while (!delta.IsEmpty)
        {
            key += Read(ref delta);
            var value = Read(ref delta);
            if (value == 0) map.Remove(key);
            else map[key] = value;
        }
    }

    /// <summary>As <see cref="Apply(ReadOnlySpan{byte}, Dictionary{long, long})"/>.</summary>
    public static void Apply(ReadOnlySpan<byte> delta, StateMap map)
    {
        long key = 0;
        while (!delta.IsEmpty)
        {
            key += Read(ref delta);
            map.Set(key, Read(ref delta));
        }
    }

    private static void Write(ArrayBufferWriter<byte> output, long value)
    {
        var span = output.GetSpan(10);
        var n = 0;
        var rest = (ulong)value;
        while (rest >= 0x80) { span[n++] = (byte)(rest | 0x80); rest >>= 7; }
        span[n++] = (byte)rest;
        output.Advance(n);
    }

    private static long Read(ref ReadOnlySpan<byte> from)
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            if (from.IsEmpty) break;
            var b = from[0];
            from = from[1..];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80) return (long)value;
        }
        throw new InvalidDataException("A state snapshot's delta is damaged.");
    }

    /// <summary>Numbers of the rows that rebuild snapshot <paramref name="number"/> of a chain, base first: number, then its lowest set bit cleared, down to 0.</summary>
    public static int[] Path(int number)
    {
        var path = new List<int>();
        for (var n = number; ; n &= n - 1)
        {
            path.Add(n);
            if (n == 0) break;
        }
        path.Reverse();
        return [.. path];
    }
}

using System.Buffers;

namespace Matrix.Storage.Rooms;

public static partial class StateDelta
{
    /// <summary>
    /// Looks ascending <paramref name="keys"/> up: where <paramref name="values"/> is -1 and the delta names the key, its value is set (0: removed).
    /// </summary>
    public static void Pick(ReadOnlySpan<byte> delta, ReadOnlySpan<long> keys, Span<long> values)
    {
        long key = 0;
        var i = 0;
        while (!delta.IsEmpty && i < keys.Length)
        {
            key += Read(ref delta);
            var value = Read(ref delta);
            while (i < keys.Length && keys[i] < key) i++;
            if (i < keys.Length && keys[i] == key)
            {
                if (values[i] < 0) values[i] = value;
                i++;
            }
        }
    }

    /// <summary>One delta that does what <paramref name="older"/> and then <paramref name="newer"/> do. A removal stays in it: the base may have the key.</summary>
    public static byte[] Merge(ReadOnlySpan<byte> older, ReadOnlySpan<byte> newer)
    {
        if (older.IsEmpty) return newer.ToArray();
        if (newer.IsEmpty) return older.ToArray();
        var output = new ArrayBufferWriter<byte>(older.Length + newer.Length);
        long last = 0;
        var a = new Cursor(older);
        var b = new Cursor(newer);
        while (a.Any || b.Any)
        {
            var takeNewer = b.Any && (!a.Any || b.Key <= a.Key);
            var (key, value) = takeNewer ? (b.Key, b.Value) : (a.Key, a.Value);
            if (a.Any && a.Key == key) a.Next();
            if (takeNewer) b.Next();
            Write(output, key - last);
            Write(output, value);
            last = key;
        }
        return output.WrittenSpan.ToArray();
    }

    private ref struct Cursor
    {
        private ReadOnlySpan<byte> rest;

        public Cursor(ReadOnlySpan<byte> delta)
        {
            rest = delta;
            Next();
        }

        public bool Any { get; private set; }
        public long Key { get; private set; }
        public long Value { get; private set; }

        public void Next()
        {
            Any = !rest.IsEmpty;
            if (!Any) return;
            Key += Read(ref rest);
            Value = Read(ref rest);
        }
    }
}

namespace Matrix.Storage.Rooms;

/// <summary>
/// State as ints: state_key_nid to event_nid, 16 bytes a slot. Open addressing over a power of two; what was removed keeps its slot with event
/// nid 0, as state does not shrink. Not thread safe.
/// </summary>
public sealed class StateMap
{
    private (long Key, long Value)[] slots = new (long, long)[16];
    private int used;

    public long Bytes => 32 + (slots.Length * 16L);

    /// <summary>The event at that key; 0: none.</summary>
    public long Get(long key)
    {
        var slot = slots[Find(slots, key)];
        return slot.Key == key ? slot.Value : 0;
    }

    /// <summary>Sets or, with 0, removes; returns what was there before (0: nothing).</summary>
    public long Set(long key, long value)
    {
        var at = Find(slots, key);
        if (slots[at].Key == key)
        {
            var before = slots[at].Value;
            slots[at].Value = value;
            return before;
        }
        if (value == 0) return 0;
        if ((used + 1) * 4 > slots.Length * 3)
        {
            Grow();
            at = Find(slots, key);
        }
        slots[at] = (key, value);
        used++;
        return 0;
    }

    /// <summary>All pairs that are set, in no order.</summary>
    public IEnumerable<KeyValuePair<long, long>> Pairs()
    {
        foreach (var (key, value) in slots) if (value != 0) yield return new(key, value);
    }

    private void Grow()
    {
        var bigger = new (long Key, long Value)[slots.Length * 2];
        used = 0;
        foreach (var slot in slots)
        {
            if (slot.Value == 0) continue;
            bigger[Find(bigger, slot.Key)] = slot;
            used++;
        }
        slots = bigger;
    }

    private static int Find((long Key, long Value)[] slots, long key)
    {
        var mask = slots.Length - 1;
        // Keys are dense numbers: multiply so that neighbours spread.
        var at = (int)((ulong)key * 0x9E3779B97F4A7C15 >> 32) & mask;
        while (slots[at].Key != key && slots[at].Key != 0) at = (at + 1) & mask;
        return at;
    }
}

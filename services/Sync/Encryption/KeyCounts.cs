using Matrix.Primitives;
using Matrix.Storage.Keys;

namespace Matrix.Sync.Encryption;

/// <summary>
/// What a device has left of one-time and fallback keys, as answers tell it. Read from the database once and again after a stream has said that
/// it changed.
/// </summary>
internal sealed class KeyCounts
{
    private readonly Lock gate = new();
    private long version;
    private long known = -1;
    private volatile byte[] json = Encode(new DeviceKeyCounts([], []));

    /// <summary>Two members of an answer, without a comma before them.</summary>
    public ReadOnlyMemory<byte> Json => json;

    /// <summary>The two values alone: counts by algorithm, and a list of algorithms.</summary>
    public DeviceKeyCounts Counts { get; private set; } = new([], []);

    public bool IsKnown
    {
        get
        {
            lock (gate) return known == version;
        }
    }

    /// <summary>Read it before asking the database; <see cref="Set"/> with it afterwards.</summary>
    public long Version
    {
        get
        {
            lock (gate) return version;
        }
    }

    /// <summary>What is known has changed.</summary>
    public void Void()
    {
        lock (gate) version++;
    }

    /// <summary>Kept as true unless it was voided while it was read.</summary>
    public void Set(long asOf, DeviceKeyCounts counts)
    {
        var encoded = Encode(counts);
        lock (gate)
        {
            if (asOf < known) return;
            known = asOf;
            Counts = counts;
            json = encoded;
        }
    }

    private static byte[] Encode(DeviceKeyCounts counts)
    {
        using var output = new PooledBuffer(128);
        output.Raw("\"device_one_time_keys_count\":"u8);
        WriteOneTime(output, counts);
        output.Raw(",\"device_unused_fallback_key_types\":"u8);
        WriteUnusedFallback(output, counts);
        return output.Written.ToArray();
    }

    public static void WriteOneTime(PooledBuffer output, DeviceKeyCounts counts)
    {
        // Synapse: this algorithm is said also where there are none; clients wait for it.
        output.Raw("{"u8);
        var first = true;
        if (!counts.OneTime.Any(c => c.Key == "signed_curve25519")) output.Comma(ref first).Raw("\"signed_curve25519\":0"u8);
        foreach (var (algorithm, count) in counts.OneTime) output.Comma(ref first).Text(algorithm).Raw(":"u8).Number(count);
        output.Raw("}"u8);
    }

    public static void WriteUnusedFallback(PooledBuffer output, DeviceKeyCounts counts)
    {
        output.Raw("["u8);
        var first = true;
        foreach (var algorithm in counts.UnusedFallback) output.Comma(ref first).Text(algorithm);
        output.Raw("]"u8);
    }
}

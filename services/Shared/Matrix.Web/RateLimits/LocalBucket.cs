using Matrix.ServiceDefaults;

namespace Matrix.Web.RateLimits;

/// <summary>What this process knows of a bucket: the bucket itself where there is nobody to share it with, else what it holds of the shared one.</summary>
internal sealed class LocalBucket
{
    private readonly Lock gate = new();
    /// <summary>Held by whoever asks for a lease, so that those who come at the same time use it and do not each take one of their own.</summary>
    public SemaphoreSlim Leasing { get; } = new(1, 1);
    private double level;
    private long updatedMs;
    private int leased;
    private long leasedUntilMs;
    private long emptyUntilMs;

    /// <summary>Nothing is known that would be lost with it.</summary>
    public bool IsIdle(long nowMs, double perSecond)
    {
        lock (gate) return (leased == 0 || leasedUntilMs <= nowMs) && emptyUntilMs <= nowMs && Level(nowMs, perSecond) <= 0;
    }

    /// <summary>True: one of the tokens that were leased is used.</summary>
    public bool TryUseLease(long nowMs)
    {
        lock (gate)
        {
            if (leased == 0 || leasedUntilMs <= nowMs) return false;
            leased--;
            return true;
        }
    }

    /// <summary>Milliseconds until the shared bucket has a token again, as it said; 0: it may have one.</summary>
    public long EmptyForMs(long nowMs)
    {
        lock (gate) return Math.Max(0, emptyUntilMs - nowMs);
    }

    public void Lease(int tokens, long nowMs, long untilMs)
    {
        lock (gate)
        {
            leased = (leasedUntilMs > nowMs ? leased : 0) + tokens;
            leasedUntilMs = untilMs;
        }
    }

    public void Empty(long untilMs)
    {
        lock (gate) emptyUntilMs = Math.Max(emptyUntilMs, untilMs);
    }

    /// <summary>Takes a token (0 tokens: looks for one). 0: it was there; otherwise milliseconds until there is one.</summary>
    public long Take(RateLimit limit, int tokens, long nowMs)
    {
        lock (gate)
        {
            var now = Level(nowMs, limit.PerSecond);
            if (now + 1 > limit.BurstCount + 1e-6) return (long)Math.Ceiling((now + 1 - limit.BurstCount) * 1000 / limit.PerSecond);
            if (tokens > 0) (level, updatedMs) = (now + tokens, nowMs);
            return 0;
        }
    }

    private double Level(long nowMs, double perSecond) => Math.Max(0, level - (Math.Max(0, nowMs - updatedMs) * perSecond / 1000));
}

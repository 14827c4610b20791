namespace Matrix.Primitives;

/// <summary>The instants at which a process does what it does every few seconds: it wakes once for all of it, and not together with the others.</summary>
public static class Beat
{
    private static readonly double Phase = Random.Shared.NextDouble();

    /// <summary>Until the next instant of that period. At least half a period: timers fire a little early.</summary>
    public static TimeSpan Next(TimeSpan period, TimeProvider clock) => Next(period, TimeSpan.FromSeconds((double)clock.GetTimestamp() / clock.TimestampFrequency), Phase);

    /// <param name="now">Since any fixed instant.</param>
    /// <param name="phase">From 0 to 1.</param>
    internal static TimeSpan Next(TimeSpan period, TimeSpan now, double phase)
    {
        var left = period - TimeSpan.FromTicks((now + (period * phase)).Ticks % period.Ticks);
        return left < period / 2 ? left + period : left;
    }
}

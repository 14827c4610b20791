namespace Matrix.ServiceTests.Hosting;

/// <summary>The real clock, some time later: what expires can be seen to, while timers go on as always.</summary>
public sealed class ShiftedTime : TimeProvider
{
    private long shift;

    public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref shift));

    public void Advance(TimeSpan by) => Interlocked.Add(ref shift, by.Ticks);
}

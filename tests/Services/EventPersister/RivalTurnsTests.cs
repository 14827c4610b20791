using Matrix.EventPersister.Actors;
using Matrix.Testing.Time;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>How two processes that write to one room let each other go first.</summary>
public sealed class RivalTurnsTests
{
    private readonly ManualTime time = new();
    private readonly RivalTurns turns;

    public RivalTurnsTests() => turns = new RivalTurns(time);

    [Fact]
    public void Who_is_alone_never_waits()
    {
        for (var i = 0; i < 3; i++)
        {
            turns.Wrote();
            Assert.True(turns.YieldAsync().AsTask().IsCompleted);
        }
    }

    [Fact]
    public async Task Who_has_written_waits_until_the_other_has()
    {
        turns.OtherMoved();
        Assert.True(turns.YieldAsync().AsTask().IsCompleted);
        turns.Wrote();
        var waiting = turns.YieldAsync().AsTask();
        Assert.False(waiting.IsCompleted);
        turns.OtherMoved();
        await waiting;
        // Whoever was overtaken before he came to wait need not.
        turns.Wrote();
        turns.OtherMoved();
        Assert.True(turns.YieldAsync().AsTask().IsCompleted);
    }

    [Fact]
    public async Task Nobody_waits_long_for_who_does_not_come_nor_for_who_has_gone()
    {
        turns.OtherMoved();
        turns.Wrote();
        var waiting = turns.YieldAsync().AsTask();
        time.Advance(RivalTurns.Patience - TimeSpan.FromMilliseconds(1));
        Assert.False(waiting.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));
        await waiting;
        time.Advance(RivalTurns.Memory);
        turns.Wrote();
        Assert.True(turns.YieldAsync().AsTask().IsCompleted);
    }
}

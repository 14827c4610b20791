using Matrix.Sync.Users;
using Matrix.Testing.Time;

namespace Matrix.Unit.Sync;

public class SignalTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private readonly Signal signal = new();
    private readonly ManualTime time = new();

    private Task<bool> WaitAsync(long seen, CancellationToken ct = default) => signal.WaitAsync(seen, Minute, time, ct).AsTask();

    [Fact]
    public async Task A_change_between_looking_and_waiting_is_not_missed()
    {
        var seen = signal.Version;
        signal.Wake();
        Assert.True(await WaitAsync(seen));
    }

    [Fact]
    public async Task Many_changes_wake_a_waiter_once_and_leave_nothing_behind()
    {
        var waiting = WaitAsync(signal.Version);
        for (var i = 0; i < 1000; i++) signal.Wake();
        Assert.True(await waiting);
        Assert.False(signal.HasWaiters);
        Assert.Equal(1000, signal.Version);
        // Who has looked at the newest version waits for a newer one.
        var next = WaitAsync(signal.Version);
        Assert.False(next.IsCompleted);
        signal.Wake();
        Assert.True(await next);
    }

    [Fact]
    public async Task Everybody_who_waits_is_woken()
    {
        var waiting = Enumerable.Range(0, 50).Select(_ => WaitAsync(signal.Version)).ToList();
        signal.Wake();
        Assert.All(await Task.WhenAll(waiting), Assert.True);
    }

    [Fact]
    public async Task When_the_time_is_over_the_waiter_is_gone()
    {
        var waiting = Enumerable.Range(0, 3).Select(_ => WaitAsync(signal.Version)).ToList();
        time.Advance(Minute);
        Assert.All(await Task.WhenAll(waiting), Assert.False);
        Assert.False(signal.HasWaiters);
        Assert.Equal(0, time.Waiting);
    }

    [Fact]
    public async Task Who_hangs_up_is_gone_at_once_and_others_stay()
    {
        using var cancel = new CancellationTokenSource();
        var stays = WaitAsync(signal.Version);
        var goes = WaitAsync(signal.Version, cancel.Token);
        var alsoStays = WaitAsync(signal.Version);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => goes);
        signal.Wake();
        Assert.True(await stays && await alsoStays);
        Assert.Equal(0, time.Waiting);
    }
}

using Matrix.Primitives;
using Matrix.Testing.Time;

namespace Matrix.Unit.Primitives;

public class WakeUpTests
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(5);
    private readonly ManualTime time = new();
    private readonly WakeUp news = new();

    private Task WaitAsync(CancellationToken ct = default) => news.WaitAsync(Rest, time, ct);

    /// <summary>Fails where it would wait for ever.</summary>
    private static Task EndAsync(Task wait) => wait.WaitAsync(TimeSpan.FromSeconds(30));

    [Fact]
    public async Task What_was_woken_before_it_waits_does_not_wait()
    {
        news.Wake();
        await EndAsync(WaitAsync());
        Assert.Equal(0, time.Waiting);
    }

    [Fact]
    public async Task Waking_twice_is_waking_once()
    {
        news.Wake();
        news.Wake();
        await EndAsync(WaitAsync());
        var second = WaitAsync();
        Assert.False(second.IsCompleted);
        news.Wake();
        await EndAsync(second);
    }

    [Fact]
    public async Task It_waits_no_longer_than_it_may()
    {
        var wait = WaitAsync();
        time.Advance(Rest - TimeSpan.FromTicks(1));
        Assert.False(wait.IsCompleted);
        time.Advance(TimeSpan.FromTicks(1));
        await EndAsync(wait);
        Assert.Equal(0, time.Waiting);
    }

    [Fact]
    public async Task Who_is_told_to_stop_stops()
    {
        using var stopping = new CancellationTokenSource();
        var wait = WaitAsync(stopping.Token);
        await stopping.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => EndAsync(wait));
    }
}

using Matrix.Primitives;
using Matrix.Testing.Time;
using Matrix.Web;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.Web;

public sealed class RoundsTests : IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);
    private readonly ManualTime clock = new();
    private readonly Lines log = new();
    private readonly CancellationTokenSource stop = new();
    private int begun;
    private int failed;

    private Rounds New() => new("Counting", clock, log) { OnFailure = () => failed++ };

    public void Dispose() => stop.Dispose();

    /// <summary>Until that many rounds have begun and the next one is waited for.</summary>
    private async Task RestsAfterAsync(int rounds)
    {
        while (Volatile.Read(ref begun) < rounds || clock.Waiting == 0) await Task.Yield();
        Assert.Equal(rounds, begun);
    }

    [Fact]
    public async Task A_round_that_fails_is_logged_once_and_the_next_one_comes()
    {
        Exception?[] faults = [new TimeoutException("too long"), null, MatrixError.LimitExceeded(1).AsException(), null];
        var running = New().EveryAsync(Interval, _ => faults[Interlocked.Increment(ref begun) - 1] is { } fault ? throw fault : Task.CompletedTask, stop.Token);
        for (var i = 1; i <= faults.Length; i++)
        {
            await RestsAfterAsync(i);
            if (i < faults.Length) clock.Advance(Interval);
        }
        Assert.Equal([(LogLevel.Error, true), (LogLevel.Warning, false)], log.All);
        Assert.Equal(2, failed);
        await stop.CancelAsync();
        await running;
        Assert.Equal(0, clock.Waiting);
    }

    [Fact]
    public async Task The_first_round_may_be_waited_for()
    {
        var running = New().EveryAsync(Interval, _ => Task.FromResult(Interlocked.Increment(ref begun)), stop.Token, first: Interval);
        await RestsAfterAsync(0);
        clock.Advance(Interval);
        await RestsAfterAsync(1);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task Who_wakes_during_a_round_means_the_next_one_and_many_mean_one()
    {
        var rounds = New();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = rounds.RunAsync(async _ =>
        {
            if (Interlocked.Increment(ref begun) == 1) await gate.Task;
            return Interval;
        }, Interval, stop.Token);
        while (Volatile.Read(ref begun) == 0) await Task.Yield();
        for (var i = 0; i < 5; i++) rounds.Wake();
        gate.SetResult();
        await RestsAfterAsync(2);
        rounds.Wake();
        while (Volatile.Read(ref begun) < 3) await Task.Yield();
        await RestsAfterAsync(3);
        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task A_round_that_is_cancelled_is_no_failure()
    {
        var running = New().EveryAsync(Interval, c =>
        {
            begun++;
            return Task.Delay(Timeout.InfiniteTimeSpan, c);
        }, stop.Token);
        while (Volatile.Read(ref begun) == 0) await Task.Yield();
        await stop.CancelAsync();
        await running;
        Assert.Empty(log.All);
        Assert.Equal(0, failed);
    }

    private sealed class Lines : ILogger
    {
        private readonly List<(LogLevel, bool)> lines = [];
        /// <summary>Level, and whether the exception came along.</summary>
        public IReadOnlyList<(LogLevel, bool)> All
        {
            get
            {
                lock (lines) return [.. lines];
            }
        }

        public void Log<TState>(LogLevel level, Microsoft.Extensions.Logging.EventId id, TState state, Exception? exception, Func<TState, Exception?, string> format)
        {
            lock (lines) lines.Add((level, exception is not null));
        }

        public bool IsEnabled(LogLevel level) => true;
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
    }
}

using System.Data.Common;
using Matrix.Primitives;
using Microsoft.Extensions.Logging;

namespace Matrix.Web;

/// <summary>Work that a process does again and again. A round that fails is logged, once, and the next one comes all the same.</summary>
/// <param name="work">Names it in the log.</param>
public sealed partial class Rounds(string work, TimeProvider clock, ILogger log)
{
    private readonly WakeUp news = new();

    /// <summary>Done after each round that failed.</summary>
    public Action? OnFailure { get; init; }

    /// <summary>The next round comes now; when one is under way, right after it.</summary>
    public void Wake() => news.Wake();

    /// <summary>A round after <paramref name="first"/>, then one at each interval after the end of the last, until it is cancelled.</summary>
    public Task EveryAsync(TimeSpan interval, Func<CancellationToken, Task> round, CancellationToken ct, TimeSpan first = default) =>
        RunAsync(
            async c =>
            {
                await round(c);
                return interval;
            }, interval, ct, first);

    /// <param name="round">Returns how long to wait before the next one.</param>
    /// <param name="afterFailure">How long to wait when it threw.</param>
    public async Task RunAsync(Func<CancellationToken, Task<TimeSpan>> round, TimeSpan afterFailure, CancellationToken ct, TimeSpan first = default)
    {
        await Task.Yield();
        await PauseAsync(first, ct);
        while (!ct.IsCancellationRequested) await PauseAsync(await TryAsync(round, ct) ?? afterFailure, ct);
    }

    /// <summary>Null: it failed.</summary>
    private async Task<TimeSpan?> TryAsync(Func<CancellationToken, Task<TimeSpan>> round, CancellationToken ct)
    {
        try
        {
            return await round(ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            return TimeSpan.Zero;
        }
        catch (Exception e) when (e is DbException or MatrixException)
        {
            LogSetBack(work, e.Message);
        }
        catch (Exception e)
        {
            LogFailed(e, work);
        }
        OnFailure?.Invoke();
        return null;
    }

    /// <summary>Ends at once when it is cancelled, and when somebody has woken it since the last one.</summary>
    private async Task PauseAsync(TimeSpan pause, CancellationToken ct)
    {
        if (pause > TimeSpan.Zero) await news.WaitAsync(pause, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [LoggerMessage(30, LogLevel.Warning, "{Work} waits: {Reason}")]
    private partial void LogSetBack(string work, string reason);

    [LoggerMessage(31, LogLevel.Error, "{Work} failed; it is tried again")]
    private partial void LogFailed(Exception e, string work);
}

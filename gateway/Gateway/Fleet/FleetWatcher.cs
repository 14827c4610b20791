using Matrix.Replication;

namespace Matrix.Gateway.Fleet;

/// <summary>
/// Follows the instance directory and watches every instance: an idle connection tells its death at once, a readiness check now and then what it says of
/// itself (often only where there is traffic: an idle fleet is left in peace).
/// </summary>
internal sealed partial class FleetWatcher(FleetState fleet, IInstanceDirectory directory, IInstanceProbe probe, TimeProvider time, ILogger<FleetWatcher> log)
    : BackgroundService
{
    internal static readonly TimeSpan Reconnect = TimeSpan.FromMilliseconds(250);
    internal static readonly TimeSpan WhenUnready = TimeSpan.FromMilliseconds(500);
    internal static readonly TimeSpan WhenBusy = TimeSpan.FromSeconds(2);
    internal static readonly TimeSpan WhenIdle = TimeSpan.FromSeconds(10);

    private readonly Dictionary<Backend, CancellationTokenSource> watches = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                var version = directory.Version;
                Apply(fleet.SetInstances(directory.All), stoppingToken);
                await directory.WaitForChangeAsync(version, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
    }

    private void Apply((IReadOnlyList<Backend> Added, IReadOnlyList<Backend> Removed) change, CancellationToken ct)
    {
        foreach (var backend in change.Removed)
        {
            LogGone(log, backend.Name);
            if (!watches.Remove(backend, out var watch)) continue;
            watch.Cancel();
            watch.Dispose();
        }
        foreach (var backend in change.Added)
        {
            LogCame(log, backend.Name, backend.Origin, backend.Instance.Group);
            var watch = CancellationTokenSource.CreateLinkedTokenSource(ct);
            watches.Add(backend, watch);
            _ = WatchAsync(backend, watch.Token);
        }
    }

    private async Task WatchAsync(Backend backend, CancellationToken ct)
    {
        try
        {
            while (true)
            {
                backend.ForgetPoke();
                using var connection = await probe.ConnectAsync(backend.Instance, ct);
                if (connection is null)
                {
                    SetHealth(backend, BackendHealth.Down);
                    await Task.Delay(Reconnect, time, ct);
                    continue;
                }
                await WatchConnectedAsync(backend, connection, ct);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
        catch (Exception e)
        {
            // The list of instances still holds; requests find out by themselves.
            LogWatchFailed(log, e, backend.Name);
        }
    }

    /// <summary>Returns when the connection has to be made anew.</summary>
    private async Task WatchConnectedAsync(Backend backend, IWatchedConnection connection, CancellationToken ct)
    {
        while (true)
        {
            backend.ForgetUse();
            var ready = await probe.IsReadyAsync(backend.Instance, ct);
            SetHealth(backend, ready ? BackendHealth.Up : BackendHealth.Unready);
            if (ready)
            {
                if (await WaitAsync(WhenIdle, backend.Used)) return;
                if (!backend.Used.IsCompleted) continue;
            }
            if (await WaitAsync(ready ? WhenBusy : WhenUnready, null)) return;
        }

        // True when the connection broke or a request could not get through.
        async Task<bool> WaitAsync(TimeSpan atMost, Task? orUntil)
        {
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(ct);
            var delay = Task.Delay(atMost, time, waiting.Token);
            await (orUntil is null ? Task.WhenAny(delay, connection.Closed, backend.Poked) : Task.WhenAny(delay, connection.Closed, backend.Poked, orUntil));
            await waiting.CancelAsync();
            ct.ThrowIfCancellationRequested();
            return connection.Closed.IsCompleted || backend.Poked.IsCompleted;
        }
    }

    private void SetHealth(Backend backend, BackendHealth health)
    {
        if (backend.Health == health) return;
        fleet.SetHealth(backend, health);
        LogHealth(log, backend.Name, health);
    }

    [LoggerMessage(1, LogLevel.Debug, "{Instance} at {Address} takes part in {Group}")]
    private static partial void LogCame(ILogger log, string instance, string address, string group);

    [LoggerMessage(2, LogLevel.Debug, "{Instance} left")]
    private static partial void LogGone(ILogger log, string instance);

    [LoggerMessage(3, LogLevel.Information, "{Instance} is {Health}")]
    private static partial void LogHealth(ILogger log, string instance, BackendHealth health);

    [LoggerMessage(4, LogLevel.Error, "Watching {Instance} failed")]
    private static partial void LogWatchFailed(ILogger log, Exception e, string instance);
}

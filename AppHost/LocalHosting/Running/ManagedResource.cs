using System.Threading.Channels;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Processes;

namespace Aspire.Hosting.Running;

internal enum ResourceCommand
{
    Start,
    Stop,
    Restart,
}

/// <summary>
/// One process through its life: waits for what it depends on, starts, becomes ready, ends, is started again. After an end that nobody asked
/// for it starts again at once, then with growing pauses.
/// </summary>
internal sealed class ManagedResource : IDisposable
{
    /// <summary>Exit codes by which our services say that another try cannot help: configuration, port in use.</summary>
    private static readonly int[] Hopeless = [2, 3];
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);
    private static readonly double[] Pauses = [0, 0.25, 0.5, 1, 2, 5, 10];
    private const int AttemptsBeforeReady = 3;

    private readonly ProcessResource _resource;
    private readonly Orchestrator _owner;
    private readonly Channel<ResourceCommand> _commands = Channel.CreateBounded<ResourceCommand>(8);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _completed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IRunningProcess? _process;

    public ManagedResource(ProcessResource resource, Orchestrator owner, bool isOneShot)
    {
        _resource = resource;
        _owner = owner;
        IsOneShot = isOneShot;
        Log = new(Path.Combine(owner.Settings.LogFolder, resource.Name + ".log"));
        string[] command = [resource.Command, .. resource.Arguments];
        if (Path.GetFileName(command[0]) == "setpriv")
        {
            // What it becomes is what it is.
            command = [.. command.Skip(1).SkipWhile(a => a.StartsWith("--", StringComparison.Ordinal))];
        }

        View = new()
        {
            Name = resource.Name,
            Id = $"{resource.Name}-{owner.Settings.Suffix}",
            Type = resource.TypeName,
            IsHidden = resource.IsHidden,
            Created = owner.Time.GetUtcNow(),
            Path = command[0],
            ProjectPath = (resource as ProjectResource)?.ProjectPath,
            WorkingDirectory = resource.WorkingDirectory,
            Arguments = [.. command[1..]],
            Parent = resource.Parent,
            WaitsFor = [.. resource.Waits.Select(w => w.On.Name)],
            Urls = [.. resource.Endpoints.Select(e => (e.Name, e.Url, e.Name == "internal"))],
        };
    }

    public bool IsOneShot { get; }
    public ResourceLog Log { get; }
    public ResourceView View { get; private set; }
    public ProcessResource Resource => _resource;
    /// <summary>Healthy for the first time.</summary>
    public Task Ready => _ready.Task;
    /// <summary>Ended with code 0 (one-shot resources).</summary>
    public Task Completed => _completed.Task;

    public bool TryCommand(ResourceCommand command) => _commands.Writer.TryWrite(command);

    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            Update(v => v with { State = "Waiting", Style = "info" });
            await _owner.WaitForDependenciesAsync(this, stopping);
            var attempts = 0;
            while (true)
            {
                var started = _owner.Time.GetTimestamp();
                var outcome = await RunOnceAsync(stopping);
                if (outcome == Outcome.Over && !_completed.Task.IsCompleted)
                {
                    return;
                }

                if (outcome is Outcome.StoppedByCommand or Outcome.Over)
                {
                    while (await _commands.Reader.ReadAsync(stopping) == ResourceCommand.Stop)
                    {
                    }

                    attempts = 0;
                    continue;
                }

                if (outcome == Outcome.Failed)
                {
                    // Long life forgives earlier deaths.
                    attempts = _ready.Task.IsCompleted && _owner.Time.GetElapsedTime(started) > TimeSpan.FromSeconds(30) ? 0 : attempts;
                    if (!_ready.Task.IsCompleted && attempts >= AttemptsBeforeReady - 1)
                    {
                        _owner.Fail(this, View.ExitCode);
                        return;
                    }

                    var pause = TimeSpan.FromSeconds(Pauses[Math.Min(attempts++, Pauses.Length - 1)]);
                    _owner.Report($"{_resource.Name} has ended (exit code {View.ExitCode?.ToString() ?? "unknown"}) and is started again"
                        + (pause > TimeSpan.Zero ? $" in {pause.TotalSeconds:0.##} s" : ""));
                    Update(v => v with { Restarts = v.Restarts + 1, State = "Starting", Style = "warning" });
                    await Task.Delay(pause, _owner.Time, stopping);
                }
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            Update(v => v with { State = v.Pid is null ? "NotStarted" : v.State });
        }
    }

    /// <summary>At the end of the run.</summary>
    public async Task StopAsync()
    {
        if (_process is { } process)
        {
            Update(v => v with { State = "Stopping", Style = "info" });
            await process.StopAsync(Grace);
            Ended(await process.Exited, "Exited", null);
        }
    }

    public void Dispose() => Log.Dispose();

    private enum Outcome
    {
        Over,
        Failed,
        StoppedByCommand,
        RestartedByCommand,
    }

    private async Task<Outcome> RunOnceAsync(CancellationToken stopping)
    {
        var environment = _owner.EnvironmentOf(_resource);
        Update(v => v with { State = "Starting", Style = "info", ExitCode = null, Stopped = null, Environment = [.. environment.Select(e => (e.Key, e.Value))] });
        try
        {
            _process = await _owner.Runner.StartProcessAsync(
                new(_resource.Name, _resource.Command, _resource.Arguments, _resource.WorkingDirectory, environment), Log.Add, stopping);
        }
        catch (ProcessStartException e)
        {
            Log.Add(e.Message, isError: true);
            Update(v => v with { State = "FailedToStart", Style = "error", Stopped = _owner.Time.GetUtcNow() });
            _owner.Fail(this, null);
            return Outcome.Over;
        }

        var process = _process;
        _owner.WritePid(_resource.Name, process.Pid);
        Update(v => v with { State = "Running", Style = HasChecks ? "info" : "success", Pid = process.Pid, Started = _owner.Time.GetUtcNow(), Health = PendingHealth() });
        using var watching = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var health = WatchHealthAsync(watching.Token);
        var (outcome, command) = await EndOrCommandAsync(process, stopping);
        await watching.CancelAsync();
        await health.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (command is { } asked)
        {
            Update(v => v with { State = "Stopping", Style = "info" });
            await process.StopAsync(Grace);
            Ended(await process.Exited, "Exited", null);
            return asked == ResourceCommand.Restart ? Outcome.RestartedByCommand : Outcome.StoppedByCommand;
        }

        return outcome;
    }

    private async Task<(Outcome Outcome, ResourceCommand? Command)> EndOrCommandAsync(IRunningProcess process, CancellationToken stopping)
    {
        while (true)
        {
            using var waiting = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            Task command = _commands.Reader.WaitToReadAsync(waiting.Token).AsTask();
            await Task.WhenAny(process.Exited, command);
            await waiting.CancelAsync();
            await command.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stopping.ThrowIfCancellationRequested();
            if (process.Exited.IsCompleted)
            {
                return (ReadEnd(await process.Exited), null);
            }

            if (_commands.Reader.TryRead(out var asked) && asked != ResourceCommand.Start)
            {
                return (Outcome.Over, asked);
            }
        }
    }

    private Outcome ReadEnd(int? code)
    {
        if (IsOneShot && code == 0)
        {
            Ended(code, "Finished", "success");
            _ready.TrySetResult();
            _completed.TrySetResult();
            _owner.Report(this);
            return Outcome.Over;
        }

        Ended(code, "Exited", "error");
        if (IsOneShot && _completed.Task.IsCompleted)
        {
            // Run again by command, after it had done what the others waited for.
            return Outcome.Over;
        }

        if (IsOneShot || (!_ready.Task.IsCompleted && code is { } reason && Hopeless.Contains(reason)))
        {
            _owner.Fail(this, code);
            return Outcome.Over;
        }

        return Outcome.Failed;
    }

    private bool HasChecks => _resource.HttpProbes.Count + _resource.HealthCheckKeys.Count > 0;

    private System.Collections.Immutable.ImmutableArray<HealthView> PendingHealth() =>
        [.. _resource.HttpProbes.Select(p => new HealthView($"{_resource.Name}_{p.EndpointName}_{p.Path}", null, "", null)), .. _resource.HealthCheckKeys.Select(k => new HealthView(k, null, "", null))];

    /// <summary>Often until it is ready, then every few seconds.</summary>
    private async Task WatchHealthAsync(CancellationToken ct)
    {
        if (!HasChecks)
        {
            BecomeReady();
            return;
        }

        var isReady = false;
        var pause = TimeSpan.FromMilliseconds(50);
        while (true)
        {
            var results = await _owner.Health.CheckAsync(_resource, ct);
            var isHealthy = results.All(r => r.IsHealthy == true);
            if (isHealthy != isReady || View.Health.Any(h => h.IsHealthy is null != !isHealthy && h.At is null))
            {
                Update(v => v with { Health = [.. results], Style = isHealthy ? "success" : isReady ? "warning" : "info" });
            }

            if (isHealthy)
            {
                BecomeReady();
            }

            isReady = isHealthy;
            // On a machine that is busy starting fifteen processes, asking each of them all the time is what keeps it busy.
            pause = TimeSpan.FromMilliseconds(Math.Min(pause.TotalMilliseconds * 1.3, 500));
            await Task.Delay(isReady ? TimeSpan.FromSeconds(10) : pause, _owner.Time, ct);
        }
    }

    private void BecomeReady()
    {
        if (!IsOneShot && _ready.TrySetResult())
        {
            _owner.Report(this);
        }
    }

    private void Ended(int? code, string state, string? style)
    {
        _process = null;
        _owner.RemovePid(_resource.Name);
        Update(v => v with { State = state, Style = style, ExitCode = code, Pid = null, Stopped = _owner.Time.GetUtcNow(), Health = [] });
    }

    private void Update(Func<ResourceView, ResourceView> change)
    {
        lock (Log)
        {
            View = change(View);
        }

        _owner.Changes.Signal();
    }
}

using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Processes;

namespace Aspire.Hosting.Running;

/// <param name="DataFolder">Logs and process ids go below it.</param>
/// <param name="Next">What to do now, for the end of the table; may be empty.</param>
internal sealed record RunSettings(string DataFolder, string Title, string Next)
{
    /// <summary>Tells the processes of this run from those of another in the telemetry.</summary>
    public string Suffix { get; } = System.Security.Cryptography.RandomNumberGenerator.GetString("abcdefghijkmnpqrstuvwxyz", 8);

    public string LogFolder => Path.Combine(DataFolder, "logs");
    public string PidFolder => Path.Combine(DataFolder, "run");
}

/// <summary>Runs all resources: in the order of their dependencies, in parallel where there are none, and in reverse at the end.</summary>
internal sealed class Orchestrator : IDisposable
{
    private readonly IReadOnlyList<ManagedResource> _resources;
    private readonly IReadOnlyList<KeyValuePair<string, string>> _commonEnvironment;
    private readonly TaskCompletionSource<string> _failure = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Terminal _terminal;
    private readonly long _begun;

    public Orchestrator(
        IReadOnlyList<Resource> resources, IProcessRunner runner, HealthProbes health, RunSettings settings,
        IReadOnlyList<KeyValuePair<string, string>> commonEnvironment, Terminal terminal, TimeProvider time)
    {
        Runner = runner;
        Health = health;
        Settings = settings;
        Time = time;
        _commonEnvironment = commonEnvironment;
        _terminal = terminal;
        _begun = time.GetTimestamp();
        var oneShots = resources.SelectMany(r => r.Waits).Where(w => w.OnCompletion).Select(w => w.On.Name).ToHashSet();
        _resources = [.. resources.OfType<ProcessResource>().Select(r => new ManagedResource(r, this, oneShots.Contains(r.Name)))];
    }

    public IProcessRunner Runner { get; }
    public HealthProbes Health { get; }
    public RunSettings Settings { get; }
    public TimeProvider Time { get; }
    public Changes Changes { get; } = new();
    public IReadOnlyList<ManagedResource> Resources => _resources;

    /// <summary>Until <paramref name="stop"/>, or until something failed that the run cannot do without. Returns the exit code.</summary>
    public async Task<int> RunAsync(Action<TimeSpan> up, CancellationToken stop)
    {
        Directory.CreateDirectory(Settings.LogFolder);
        Directory.CreateDirectory(Settings.PidFolder);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(stop);
        await Runner.StartAsync(stop);
        WritePid("host", Environment.ProcessId);
        var running = Task.WhenAll(_resources.Select(r => SuperviseAsync(r, stopping.Token)));
        var ready = Task.WhenAll(_resources.Where(r => !r.Resource.IsHidden).Select(r => r.Ready));
        var stopped = Task.Delay(Timeout.Infinite, stop).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (await Task.WhenAny(ready, _failure.Task, stopped) == ready)
        {
            up(Time.GetElapsedTime(_begun));
            await Task.WhenAny(_failure.Task, stopped);
        }

        var failed = _failure.Task.IsCompleted;
        if (failed)
        {
            _terminal.Error(await _failure.Task);
        }

        _terminal.Line("Stopping ...");
        await stopping.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await StopAllAsync();
        await Runner.DisposeAsync();
        RemovePid("host");
        _terminal.Line("Stopped.");
        return failed ? 1 : 0;
    }

    public async Task WaitForDependenciesAsync(ManagedResource resource, CancellationToken ct)
    {
        foreach (var wait in resource.Resource.Waits)
        {
            if (_resources.FirstOrDefault(r => r.Resource == wait.On) is { } dependency)
            {
                await (wait.OnCompletion ? dependency.Completed : dependency.Ready).WaitAsync(ct);
            }
        }
    }

    public IReadOnlyList<KeyValuePair<string, string>> EnvironmentOf(ProcessResource resource)
    {
        var environment = new List<KeyValuePair<string, string>>();
        if (resource is ProjectResource)
        {
            environment.AddRange(_commonEnvironment);
            if (_commonEnvironment.Count > 0)
            {
                environment.Add(new("OTEL_SERVICE_NAME", resource.Name));
                environment.Add(new("OTEL_RESOURCE_ATTRIBUTES", $"service.instance.id={Settings.Suffix}"));
            }
        }

        environment.AddRange(resource.Environment.Select(e => new KeyValuePair<string, string>(e.Key, e.Value())));
        return environment;
    }

    public void WritePid(string name, int pid) =>
        File.WriteAllText(Path.Combine(Settings.PidFolder, name + ".pid"), pid.ToString(CultureInfo.InvariantCulture) + "\n");

    public void RemovePid(string name) => File.Delete(Path.Combine(Settings.PidFolder, name + ".pid"));

    /// <summary>Ends the run, with the last words of the resource.</summary>
    public void Fail(ManagedResource resource, int? exitCode)
    {
        var code = exitCode is { } c ? $" (exit code {c.ToString(CultureInfo.InvariantCulture)})" : "";
        var words = string.Join('\n', resource.Log.Last(25).Select(l => "  " + l));
        _failure.TrySetResult($"{resource.Resource.Name} could not start{code}. Its last output:\n\n{words}\n\nAll of it: {Path.Combine(Settings.LogFolder, resource.Resource.Name + ".log")}");
    }

    public void Report(ManagedResource resource)
    {
        if (!resource.Resource.IsHidden)
        {
            _terminal.Progress(resource.Resource.Name, resource.IsOneShot ? "done" : "ready", resource.View.Urls.FirstOrDefault().Url ?? "", Time.GetElapsedTime(_begun));
        }
    }

    public void Report(string text) => _terminal.Line(text);

    public void Dispose()
    {
        foreach (var resource in _resources)
        {
            resource.Dispose();
        }
    }

    /// <summary>A fault of the supervision itself must not look like a resource that takes its time.</summary>
    private async Task SuperviseAsync(ManagedResource resource, CancellationToken stopping)
    {
        try
        {
            await resource.RunAsync(stopping);
        }
        catch (Exception e)
        {
            _failure.TrySetResult($"{resource.Resource.Name} is no longer supervised: {e}");
        }
    }

    /// <summary>What others depend on ends after them.</summary>
    private async Task StopAllAsync()
    {
        var depths = new Dictionary<IResource, int>();
        foreach (var group in _resources.GroupBy(r => Depth(r.Resource, depths)).OrderByDescending(g => g.Key))
        {
            await Task.WhenAll(group.Select(r => r.StopAsync()));
        }
    }

    private static int Depth(IResource resource, Dictionary<IResource, int> known)
    {
        if (!known.TryGetValue(resource, out var depth))
        {
            depth = ((Resource)resource).Waits.Select(w => Depth(w.On, known) + 1).DefaultIfEmpty(0).Max();
            known[resource] = depth;
        }

        return depth;
    }
}

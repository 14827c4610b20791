using System.Collections.Concurrent;
using Aspire.Hosting.Processes;

namespace Matrix.AppHostTests.Running;

/// <summary>Processes that exist only here, and do what the test says.</summary>
internal sealed class FakeRunner : IProcessRunner
{
    private readonly ConcurrentQueue<FakeProcess> _started = new();
    private readonly SemaphoreSlim _starts = new(0);

    /// <summary>What happened, in order: "start a", "stop a".</summary>
    public ConcurrentQueue<string> Events { get; } = new();
    public HashSet<string> CannotStart { get; } = [];

    public Task StartAsync(CancellationToken ct) => Task.CompletedTask;

    public Task<IRunningProcess> StartProcessAsync(ProcessSpec spec, Action<string, bool> onLine, CancellationToken ct)
    {
        if (CannotStart.Contains(spec.Name))
        {
            throw new ProcessStartException($"{spec.Path} does not exist");
        }

        var process = new FakeProcess(this, spec, onLine);
        Events.Enqueue($"start {spec.Name}");
        _started.Enqueue(process);
        _starts.Release();
        return Task.FromResult<IRunningProcess>(process);
    }

    /// <summary>The next process that is started.</summary>
    public async Task<FakeProcess> NextAsync()
    {
        Assert.True(await _starts.WaitAsync(TimeSpan.FromSeconds(30)), "nothing was started");
        Assert.True(_started.TryDequeue(out var process));
        return process!;
    }

    public FakeProcess? TryNext() => _starts.Wait(0) && _started.TryDequeue(out var process) ? process : null;

    public ValueTask DisposeAsync()
    {
        return ValueTask.CompletedTask;
    }
}

internal sealed class FakeProcess(FakeRunner runner, ProcessSpec spec, Action<string, bool> onLine) : IRunningProcess
{
    private readonly TaskCompletionSource<int?> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ProcessSpec Spec => spec;
    public int Pid => 4711;
    public Task<int?> Exited => _exited.Task;

    public void Say(string line) => onLine(line, false);

    public void Exit(int code) => _exited.TrySetResult(code);

    public Task StopAsync(TimeSpan grace)
    {
        runner.Events.Enqueue($"stop {spec.Name}");
        _exited.TrySetResult(0);
        return Task.CompletedTask;
    }
}

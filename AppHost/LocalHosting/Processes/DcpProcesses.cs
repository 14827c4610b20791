using System.Collections.Concurrent;
using System.Diagnostics;

namespace Aspire.Hosting.Processes;

/// <summary>Processes in the hands of dcp, Aspire's orchestrator: it watches this process and ends everything when this process is gone.</summary>
/// <param name="dcp">Path of the program.</param>
/// <param name="folder">Where it keeps its session: address, token, output files.</param>
internal sealed class DcpProcesses(string dcp, string folder) : IProcessRunner
{
    private readonly ConcurrentDictionary<string, DcpProcess> _processes = new();
    private readonly CancellationTokenSource _stopped = new();
    private DcpClient? _client;
    private Task _watching = Task.CompletedTask;
    private int _started;

    public async Task StartAsync(CancellationToken ct)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        // The token is in there.
        _ = OperatingSystem.IsWindows()
            ? Directory.CreateDirectory(folder)
            : Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var kubeconfig = Path.Combine(folder, "kubeconfig");
        var (certificate, key) = SessionCertificate.Write(folder, TimeProvider.System.GetUtcNow());
        var start = new ProcessStartInfo(dcp)
        {
            WorkingDirectory = folder,
            ArgumentList =
            {
                "start-apiserver", "--monitor", $"{Environment.ProcessId}", "--detach", "--kubeconfig", kubeconfig,
                "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-file", certificate,
            },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["DCP_SESSION_FOLDER"] = folder;
        using var process = Process.Start(start)!;
        for (var i = 0; i < 400; i++)
        {
            if (File.Exists(kubeconfig) && await File.ReadAllTextAsync(kubeconfig, ct) is var text && text.Contains("token:", StringComparison.Ordinal)
                && text.EndsWith('\n'))
            {
                _client = DcpClient.Connect(text);
                _watching = WatchAsync(_client);
                return;
            }

            await Task.Delay(25, ct);
        }

        throw new ProcessStartException($"{dcp} did not come up");
    }

    public async Task<IRunningProcess> StartProcessAsync(ProcessSpec spec, Action<string, bool> onLine, CancellationToken ct)
    {
        var client = _client ?? throw new InvalidOperationException("dcp is not running.");
        // Every start is an object of its own: dcp never starts one twice.
        var name = $"{spec.Name}-{Interlocked.Increment(ref _started)}";
        var process = new DcpProcess(client, name, onLine, _stopped.Token);
        _processes[name] = process;
        await client.CreateAsync(name, spec, ct);
        await process.StartedAsync(ct);
        return process;
    }

    public async ValueTask DisposeAsync()
    {
        if (_client is { } client)
        {
            try
            {
                using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
                await client.ShutDownAsync(limit.Token);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                // It ends by itself when this process is gone.
                Trace.WriteLine(e.Message);
            }

            await _stopped.CancelAsync();
            await _watching;
            client.Dispose();
        }

        _stopped.Dispose();
    }

    private async Task WatchAsync(DcpClient client)
    {
        while (!_stopped.IsCancellationRequested)
        {
            try
            {
                await foreach (var (name, status) in client.WatchAsync(_stopped.Token))
                {
                    if (_processes.TryGetValue(name, out var process) && process.Apply(status))
                    {
                        _processes.TryRemove(name, out _);
                    }
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException && !_stopped.IsCancellationRequested)
            {
                await Task.Delay(200, CancellationToken.None);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private sealed class DcpProcess(DcpClient client, string name, Action<string, bool> onLine, CancellationToken stopped) : IRunningProcess
    {
        private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource<int?> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Task _logs = Task.CompletedTask;
        private Task<int?>? _exited;

        public int Pid { get; private set; }

        public Task<int?> Exited => _exited ??= ExitedAsync();

        public async Task StartedAsync(CancellationToken ct) => await _started.Task.WaitAsync(ct);

        /// <summary>True when nothing more is to be expected.</summary>
        public bool Apply(DcpStatus status)
        {
            if (status.Pid is { } pid && !_started.Task.IsCompleted)
            {
                Pid = pid;
                _logs = Task.WhenAll(ReadAsync("stdout", false), ReadAsync("stderr", true));
                _started.TrySetResult();
            }

            if (status.State == "FailedToStart")
            {
                _started.TrySetException(new ProcessStartException(status.Message ?? $"{name} did not start"));
            }

            if (status.IsOver)
            {
                _started.TrySetResult();
                _ended.TrySetResult(status.ExitCode);
            }

            return status.IsOver;
        }

        public async Task StopAsync(TimeSpan grace)
        {
            try
            {
                await client.StopAsync(name, stopped);
            }
            catch (HttpRequestException)
            {
                // dcp is gone, and with it the process, or it has ended by itself.
                _ended.TrySetResult(null);
            }

            // dcp uses force itself, later than this process is willing to wait.
            if (await Task.WhenAny(_ended.Task, Task.Delay(grace, stopped)) != _ended.Task && Pid > 0)
            {
                using var kill = Process.Start("kill", ["-9", $"{Pid}"]);
                await kill.WaitForExitAsync(stopped);
                await _ended.Task.WaitAsync(TimeSpan.FromSeconds(5), stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        private async Task<int?> ExitedAsync()
        {
            var code = await _ended.Task;
            // The last lines tell why.
            await Task.WhenAny(_logs, Task.Delay(TimeSpan.FromSeconds(1), CancellationToken.None));
            try
            {
                await client.DeleteAsync(name, stopped);
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                Trace.WriteLine(e.Message);
            }

            return code;
        }

        private async Task ReadAsync(string source, bool isError)
        {
            try
            {
                await foreach (var line in client.ReadLogAsync(name, source, stopped))
                {
                    onLine(line, isError);
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
                Trace.WriteLine(e.Message);
            }
        }
    }
}

using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Aspire.Hosting.Processes;

/// <summary>
/// Processes without an orchestrator below. Each is in a session of its own, so Ctrl-C reaches this process only; a watchdog (a shell script
/// that reads from a pipe held by this process) ends them when this process dies without having done so.
/// </summary>
internal sealed partial class PlainProcesses(string pidFolder) : IProcessRunner
{
    private Process? _watchdog;

    public Task StartAsync(CancellationToken ct)
    {
        var start = new ProcessStartInfo("setsid")
        {
            RedirectStandardInput = true,
            ArgumentList = { "bash", Path.Combine(AppContext.BaseDirectory, "watchdog.sh"), pidFolder },
        };
        _watchdog = Process.Start(start);
        return Task.CompletedTask;
    }

    public Task<IRunningProcess> StartProcessAsync(ProcessSpec spec, Action<string, bool> onLine, CancellationToken ct)
    {
        // setsid replaces itself by the program, so the process id stays.
        var start = new ProcessStartInfo("setsid")
        {
            WorkingDirectory = spec.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.ArgumentList.Add(spec.Path);
        foreach (var argument in spec.Arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var (name, value) in spec.Environment)
        {
            start.Environment[name] = value;
        }

        if (spec.Path.Contains('/', StringComparison.Ordinal) && !File.Exists(spec.Path))
        {
            throw new ProcessStartException($"{spec.Path} does not exist");
        }

        try
        {
            var process = Process.Start(start) ?? throw new ProcessStartException($"{spec.Path} did not start");
            process.StandardInput.Close();
            _watchdog?.StandardInput.WriteLine(process.Id);
            return Task.FromResult<IRunningProcess>(new PlainProcess(process, onLine));
        }
        catch (Win32Exception e)
        {
            throw new ProcessStartException($"{spec.Path} cannot be started: {e.Message}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_watchdog is { } watchdog)
        {
            await watchdog.StandardInput.WriteLineAsync("done");
            watchdog.StandardInput.Close();
            await watchdog.WaitForExitAsync();
            watchdog.Dispose();
        }
    }

    private sealed class PlainProcess : IRunningProcess
    {
        private readonly Process _process;

        public PlainProcess(Process process, Action<string, bool> onLine)
        {
            _process = process;
            Pid = process.Id;
            process.OutputDataReceived += (_, line) => Pass(line.Data, false);
            process.ErrorDataReceived += (_, line) => Pass(line.Data, true);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            Exited = WaitAsync();

            void Pass(string? text, bool isError)
            {
                if (text is not null)
                {
                    onLine(text, isError);
                }
            }
        }

        public int Pid { get; }

        public Task<int?> Exited { get; }

        public async Task StopAsync(TimeSpan grace)
        {
            _ = Kill(Pid, SigTerm);
            if (await Task.WhenAny(Exited, Task.Delay(grace)) != Exited)
            {
                _ = Kill(Pid, SigKill);
                await Exited;
            }
        }

        private async Task<int?> WaitAsync()
        {
            await _process.WaitForExitAsync();
            var code = _process.ExitCode;
            _process.Dispose();
            return code;
        }
    }

    private const int SigTerm = 15;
    private const int SigKill = 9;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}

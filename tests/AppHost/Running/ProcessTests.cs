using System.Diagnostics;
using Aspire.Hosting.Processes;

namespace Matrix.AppHostTests.Running;

/// <summary>Real processes, under dcp and without it.</summary>
public sealed class ProcessTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("armada-processes");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("plain")]
    [InlineData("dcp")]
    public async Task A_process_runs_with_its_environment_and_says_how_it_ended(string kind)
    {
        await using var runner = Create(kind);
        await runner.StartAsync(default);
        var lines = new List<string>();
        var process = await runner.StartProcessAsync(Shell("echo $GREETING from $PWD; echo bad >&2; exit 7", ("GREETING", "hello")), Note(lines), default);
        Assert.Equal(7, await process.Exited.WaitAsync(TimeSpan.FromSeconds(60)));
        lock (lines)
        {
            Assert.Equal(["error bad", $"hello from {_folder.FullName}"], lines.Order());
        }
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("dcp")]
    public async Task Asked_to_stop_a_process_may_say_farewell(string kind)
    {
        await using var runner = Create(kind);
        await runner.StartAsync(default);
        var lines = new List<string>();
        var started = new TaskCompletionSource();
        var process = await runner.StartProcessAsync(
            Shell("trap 'echo farewell; exit 0' TERM; echo started; while :; do sleep 0.1; done"),
            (line, isError) => { Note(lines)(line, isError); started.TrySetResult(); }, default);
        await started.Task.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(process.Pid, Process.GetProcessById(process.Pid).Id);
        await process.StopAsync(TimeSpan.FromSeconds(30));
        await process.Exited.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.False(Directory.Exists($"/proc/{process.Pid}"));
        lock (lines)
        {
            Assert.Contains("farewell", lines);
        }
    }

    [Fact]
    public async Task A_process_that_does_not_stop_is_killed()
    {
        await using var runner = Create("plain");
        await runner.StartAsync(default);
        var started = new TaskCompletionSource();
        var process = await runner.StartProcessAsync(Shell("trap '' TERM; echo started; while :; do sleep 0.1; done"), (_, _) => started.TrySetResult(), default);
        await started.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await process.StopAsync(TimeSpan.FromMilliseconds(100));
        Assert.Equal(137, await process.Exited);
    }

    [Fact]
    public async Task A_program_that_is_not_there_is_said_so()
    {
        await using var runner = Create("plain");
        await runner.StartAsync(default);
        var fault = await Assert.ThrowsAsync<ProcessStartException>(() => runner.StartProcessAsync(new("x", "/nowhere/x", [], "/", []), (_, _) => { }, default));
        Assert.Equal("/nowhere/x does not exist", fault.Message);
    }

    [Fact]
    public async Task When_the_host_is_killed_the_watchdog_ends_what_it_started()
    {
        using var child = Process.Start("sleep", "1000");
        using var watchdog = Process.Start(new ProcessStartInfo("bash", [Path.Combine(AppContext.BaseDirectory, "watchdog.sh"), "x"]) { RedirectStandardInput = true })!;
        await watchdog.StandardInput.WriteLineAsync($"{child.Id}");
        // A pipe that ends without "done" is what the death of its holder looks like.
        watchdog.StandardInput.Close();
        await child.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        await watchdog.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(0, watchdog.ExitCode);
    }

    private IProcessRunner Create(string kind)
    {
        if (kind == "plain")
        {
            return new PlainProcesses(_folder.FullName);
        }

        var dcp = Tools.Dcp;
        Assert.SkipWhen(dcp is null, "dcp is not here: ./run or ./test downloads it");
        return new DcpProcesses(dcp!, Path.Combine(_folder.FullName, "dcp"));
    }

    private ProcessSpec Shell(string script, params (string Key, string Value)[] environment) =>
        new("shell", "/bin/bash", ["-c", script], _folder.FullName, [.. environment.Select(e => new KeyValuePair<string, string>(e.Key, e.Value))]);

    private static Action<string, bool> Note(List<string> lines) => (line, isError) =>
    {
        lock (lines)
        {
            lines.Add(isError ? $"error {line}" : line);
        }
    };
}

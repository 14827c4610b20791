namespace Aspire.Hosting.Processes;

/// <summary>Starts processes and sees to it that none outlives this one: dcp, or without it <see cref="PlainProcesses"/>.</summary>
internal interface IProcessRunner : IAsyncDisposable
{
    Task StartAsync(CancellationToken ct);

    /// <summary>Returns once the process exists; throws <see cref="ProcessStartException"/> when it cannot.</summary>
    Task<IRunningProcess> StartProcessAsync(ProcessSpec spec, Action<string, bool> onLine, CancellationToken ct);
}

/// <param name="Environment">Added to the environment of this process.</param>
internal sealed record ProcessSpec(
    string Name, string Path, IReadOnlyList<string> Arguments, string WorkingDirectory, IReadOnlyList<KeyValuePair<string, string>> Environment);

internal interface IRunningProcess
{
    int Pid { get; }

    /// <summary>Completes when the process has ended, with its exit code; null when that is not known.</summary>
    Task<int?> Exited { get; }

    /// <summary>Asks it to end (SIGTERM); ends it by force after <paramref name="grace"/>.</summary>
    Task StopAsync(TimeSpan grace);
}

internal sealed class ProcessStartException(string message) : Exception(message);

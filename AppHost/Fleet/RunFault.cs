namespace Matrix.AppHost.Fleet;

/// <summary>Something that the person at the terminal can mend; the message says how.</summary>
internal sealed class RunFault(string message, int exitCode = 1) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}

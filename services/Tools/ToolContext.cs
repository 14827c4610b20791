using Matrix.ServiceDefaults;

namespace Matrix.Tools;

/// <summary>What a command reads and writes: the terminal, or a test's.</summary>
internal sealed record ToolContext(TextWriter Out, TextWriter Error, TextReader In, IReadOnlyDictionary<string, string> Environment)
{
    public static ToolContext OfProcess { get; } = new(Console.Out, Console.Error, Console.In, ServiceEnvironment.Current);
}

/// <summary>Exit codes of all commands.</summary>
internal static class ToolExit
{
    public const int Ok = 0;
    /// <summary>Something that was checked is not right, or what was asked for was refused.</summary>
    public const int Failed = 1;
    /// <summary>The configuration cannot be used.</summary>
    public const int Configuration = 2;
    /// <summary>The database or the server cannot be reached.</summary>
    public const int Unreachable = 3;
}

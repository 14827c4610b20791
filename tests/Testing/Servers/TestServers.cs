using Xunit;

namespace Matrix.Testing.Servers;

/// <summary>Servers that tests need. A missing one skips the test on a developer's machine and fails it where CI=true.</summary>
public static class TestServers
{
    public static bool IsCi { get; } = string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>Null when the variable is not set.</summary>
    public static string? Address(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    /// <summary>Skips or fails the running test.</summary>
    public static Exception Missing(string what)
    {
        var message = what + " (scripts/test-servers starts both servers and prints the variables)";
        if (IsCi) Assert.Fail(message);
        Assert.Skip(message);
        return new InvalidOperationException(message);
    }
}

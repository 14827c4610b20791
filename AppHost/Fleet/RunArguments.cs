using System.Globalization;

namespace Matrix.AppHost.Fleet;

/// <summary>Words after ./run.</summary>
internal sealed record RunArguments
{
    public bool IsMonolith { get; private init; }
    public bool WithDashboard { get; private init; } = true;
    public string? Config { get; private init; }
    public string? Data { get; private init; }
    public int? Port { get; private init; }

    public static RunArguments? Parse(IReadOnlyList<string> args, out string? fault)
    {
        var result = new RunArguments();
        fault = null;
        for (var i = 0; i < args.Count; i++)
        {
            var (name, value) = Split(args[i]);
            switch (name)
            {
                case "fleet":
                    continue;
                case "monolith":
                    // One process: nothing for a dashboard to arrange, unless it is asked for.
                    result = result with { IsMonolith = true, WithDashboard = false };
                    continue;
                case "--dashboard":
                    result = result with { WithDashboard = true };
                    continue;
                case "--no-dashboard":
                    result = result with { WithDashboard = false };
                    continue;
                case "--config" or "--data" or "--port":
                    if ((value ?? (i + 1 < args.Count ? args[++i] : null)) is not { Length: > 0 } given)
                    {
                        fault = $"{name} needs a value.\n  fix  ./run --help";
                        return null;
                    }

                    if (name == "--port")
                    {
                        if (!int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65535)
                        {
                            fault = $"--port: {given} is no port.\n  fix  a number from 1 to 65535, such as --port 8008";
                            return null;
                        }

                        result = result with { Port = port };
                    }
                    else
                    {
                        result = name == "--config" ? result with { Config = given } : result with { Data = given };
                    }

                    continue;
                default:
                    fault = $"{args[i]} is nothing that ./run knows.\n  fix  ./run --help";
                    return null;
            }
        }

        return result;
    }

    private static (string Name, string? Value) Split(string argument)
    {
        var equals = argument.IndexOf('=', StringComparison.Ordinal);
        return argument.StartsWith("--", StringComparison.Ordinal) && equals > 0 ? (argument[..equals], argument[(equals + 1)..]) : (argument, null);
    }
}

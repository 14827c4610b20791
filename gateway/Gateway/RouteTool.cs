using Matrix.Gateway.Routing;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Configuration;

namespace Matrix.Gateway;

/// <summary>The subcommand <c>route</c>: where a request would go, without a fleet, a database or a network.</summary>
internal static class RouteTool
{
    private const int BadInput = 2;

    public static int Run(IReadOnlyList<string> args, TextWriter output, TextWriter error)
    {
        if (RouteCommand.Parse(args, out var fault) is not { } command) return Fail(error, fault);
        var groups = RouteGroups.None;
        var trustForwarded = false;
        if (command.ConfigFile is { } file)
        {
            var loaded = HomeserverConfigLoader.LoadFiles([file], ServiceEnvironment.Current);
            if (loaded.Config is not { } config) return Fail(error, ConfigFault.Format(loaded.Faults));
            groups = new(config.RouteGroups);
            if (groups.Faults.Count > 0) return Fail(error, string.Join('\n', groups.Faults));
            trustForwarded = config.Listener.XForwarded;
        }
        output.WriteLine(RouteExplainer.Explain(command.Method, command.Url, command.Headers, groups, trustForwarded).ToJson());
        return 0;
    }

    private static int Fail(TextWriter error, string fault)
    {
        error.WriteLine(fault);
        error.WriteLine();
        error.WriteLine(RouteCommand.Usage);
        return BadInput;
    }
}

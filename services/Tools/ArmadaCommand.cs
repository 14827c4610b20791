using System.CommandLine;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Configuration;
using Matrix.Tools.Commands;

namespace Matrix.Tools;

/// <summary>The administrator's command line: <c>armada --help</c>.</summary>
internal static class ArmadaCommand
{
    public static async Task<int> RunAsync(string[] args, ToolContext context, CancellationToken ct)
    {
        var root = new RootCommand("Looks after an Armada homeserver.")
        {
            CheckCommand.Create(context),
            ConfigCommand.Create(context),
            UserCommand.Create(context),
            VersionCommand.Create(context),
        };
        return await root.Parse(args).InvokeAsync(new InvocationConfiguration { Output = context.Out, Error = context.Error }, ct);
    }

    public static Option<string[]> ConfigOption() => new("--config", "-c")
    {
        Description = "homeserver.yaml, or a folder of such files; several may be given. Default: what ARMADA_CONFIG names.",
        AllowMultipleArgumentsPerToken = true,
    };

    /// <summary>Null when it cannot be used; all faults are written then.</summary>
    public static HomeserverConfig? Load(ToolContext context, string[]? paths)
    {
        var loaded = paths is { Length: > 0 }
            ? HomeserverConfigLoader.LoadFiles(paths, context.Environment)
            : HomeserverConfigLoader.Load(context.Environment);
        foreach (var warning in loaded.Warnings) context.Error.WriteLine("warning: " + warning);
        if (loaded.Config is null) context.Error.Write(ConfigFault.Format(loaded.Faults));
        return loaded.Config;
    }
}
